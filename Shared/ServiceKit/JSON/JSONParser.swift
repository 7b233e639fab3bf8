import NIOCore

/// Why bytes are not the JSON they should be. Where and what exactly is of no use to a client and not kept.
public enum JSONParseError: Error, Sendable, Equatable {
    /// Not one JSON document in UTF-8.
    case malformed
    /// More arrays and objects inside one another than ``JSONParser/maximumDepth``.
    case tooDeep
    /// A document, but not an object.
    case notAnObject
}

/// A strict reader of RFC 8259: UTF-8 only and without a byte order mark, no trailing bytes, no comments, no lone
/// surrogates, a bounded depth. It never traps and never uses more stack than the depth allows.
public struct JSONParser {
    /// How many arrays and objects may lie inside one another.
    public static let maximumDepth = 32

    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// The object that a body is.
    ///
    /// - Throws: ``JSONParseError``.
    public static func object(_ body: ByteBuffer) throws(JSONParseError) -> [String: JSONValue] {
        guard case .object(let members) = try value(body) else { throw .notAnObject }
        return members
    }

    /// The document that a body is.
    ///
    /// - Throws: ``JSONParseError``.
    public static func value(_ body: ByteBuffer) throws(JSONParseError) -> JSONValue {
        let result = body.withUnsafeReadableBytes { raw -> Result<JSONValue, JSONParseError> in
            raw.withMemoryRebound(to: UInt8.self) { bytes in
                var parser = JSONParser(bytes)
                do throws(JSONParseError) {
                    return .success(try parser.document())
                } catch {
                    return .failure(error)
                }
            }
        }
        return try result.get()
    }

    private mutating func document() throws(JSONParseError) -> JSONValue {
        skipSpace()
        let value = try self.value(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw .malformed }
        return value
    }

    private mutating func value(depth: Int) throws(JSONParseError) -> JSONValue {
        guard let byte = peek() else { throw .malformed }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""):
            index += 1
            return .string(try string())
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        default:
            return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONParseError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw .tooDeep }
        index += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard take(UInt8(ascii: "\"")) else { throw .malformed }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw .malformed }
            skipSpace()
            members[name] = try value(depth: depth)
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { throw .malformed }
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws(JSONParseError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw .tooDeep }
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            skipSpace()
            elements.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "]")) else { throw .malformed }
            return .array(elements)
        }
    }

    // MARK: Text

    /// The rest of a string whose opening quote has been read.
    private mutating func string() throws(JSONParseError) -> String {
        let start = index
        while let byte = peek() {
            if byte == UInt8(ascii: "\"") {
                let text = try text(start..<index)
                index += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw .malformed }
            index += 1
        }
        throw .malformed
    }

    private mutating func escapedString(from start: Int) throws(JSONParseError) -> String {
        var result = Array(bytes[start..<index])
        while let byte = peek() {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: result, as: UTF8.self) else { throw .malformed }
                return text
            case UInt8(ascii: "\\"):
                try escape(into: &result)
            case 0..<0x20:
                throw .malformed
            default:
                result.append(byte)
            }
        }
        throw .malformed
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSONParseError) {
        guard let byte = peek() else { throw .malformed }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            // A surrogate means something only as the first of a pair (RFC 8259, section 8.2); `Unicode.Scalar`
            // refuses one alone.
            var code = try hexQuad()
            if (0xD800...0xDBFF).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw .malformed }
                let low = try hexQuad()
                guard (0xDC00...0xDFFF).contains(low) else { throw .malformed }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw .malformed }
            result.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
        default:
            throw .malformed
        }
    }

    private mutating func hexQuad() throws(JSONParseError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek() else { throw .malformed }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): code = code << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): code = code << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): code = code << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: throw .malformed
            }
            index += 1
        }
        return code
    }

    private func text(_ range: Range<Int>) throws(JSONParseError) -> String {
        guard let text = String(validating: bytes[range], as: UTF8.self) else { throw .malformed }
        return text
    }

    // MARK: Numbers

    private mutating func number() throws(JSONParseError) -> JSONValue {
        let start = index
        var decimal = Decimal()
        if take(UInt8(ascii: "-")) { decimal.isNegative = true }
        // No leading zeros: `0` or a digit from 1.
        if take(UInt8(ascii: "0")) {
            if let byte = peek(), Self.isDigit(byte) { throw .malformed }
        } else {
            guard digits({ decimal.append($0) }) > 0 else { throw .malformed }
        }
        if take(UInt8(ascii: ".")) {
            guard digits({ decimal.appendFraction($0) }) > 0 else { throw .malformed }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            let negative = take(UInt8(ascii: "-"))
            if !negative { _ = take(UInt8(ascii: "+")) }
            var exponent = 0
            // Saturates: an exponent of more than a million is as good as any.
            guard digits({ exponent = min(exponent * 10 + Int($0), 1_000_000) }) > 0 else { throw .malformed }
            decimal.exponent += negative ? -exponent : exponent
        }
        if let value = decimal.whole { return .integer(value) }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        // Never nil for what the grammar above lets through; out of range is infinite.
        return .number(Double(text) ?? (decimal.isNegative ? -.infinity : .infinity))
    }

    private mutating func digits(_ each: (UInt8) -> Void) -> Int {
        let start = index
        while let byte = peek(), Self.isDigit(byte) {
            each(byte - UInt8(ascii: "0"))
            index += 1
        }
        return index - start
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    // MARK: Bytes

    private func peek() -> UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ word: StaticString) throws(JSONParseError) {
        let length = word.utf8CodeUnitCount
        guard bytes.count - index >= length else { throw .malformed }
        for offset in 0..<length where bytes[index + offset] != word.utf8Start[offset] { throw .malformed }
        index += length
    }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }
}

/// A number in decimal, exact as far as it may still be a 64-bit integer.
private struct Decimal {
    var isNegative = false
    /// Power of ten by which ``digits`` is multiplied.
    var exponent = 0
    /// The significant digits, without trailing zeros; nil once there are too many for any integer.
    private var digits: UInt64? = 0
    private var pendingZeros = 0

    mutating func append(_ digit: UInt8) {
        push(digit)
    }

    mutating func appendFraction(_ digit: UInt8) {
        push(digit)
        exponent -= 1
    }

    /// Zeros wait until a digit follows, so that `3.000` stays 3 however long its tail.
    private mutating func push(_ digit: UInt8) {
        guard digit != 0 else {
            pendingZeros += 1
            return
        }
        for _ in 0..<(digits == 0 ? 0 : min(pendingZeros, 20)) { multiply(adding: 0) }
        pendingZeros = 0
        multiply(adding: UInt64(digit))
    }

    private mutating func multiply(adding digit: UInt64) {
        guard let value = digits else { return }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(digit)
        digits = overflow || carry ? nil : sum
    }

    /// The value, if it is whole and fits.
    var whole: Int64? {
        guard let digits else { return nil }
        if digits == 0 { return 0 }
        var magnitude = digits
        let power = exponent + pendingZeros
        guard power >= 0, power < 20 else { return nil }
        for _ in 0..<power {
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            magnitude = product
        }
        if isNegative { return magnitude == Int64.min.magnitude ? .min : Int64(exactly: magnitude).map { -$0 } }
        return Int64(exactly: magnitude)
    }
}
