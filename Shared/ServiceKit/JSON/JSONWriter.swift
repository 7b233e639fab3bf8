import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes JSON (RFC 8259) straight into a buffer, without a tree or a Codable container in between.
///
/// Members are written in the order of the calls. Names given as literals are written as they are.
public struct JSONWriter: Sendable {
    /// What has been written.
    public private(set) var buffer: ByteBuffer
    private var needsComma = false

    /// - Parameter capacity: bytes to make room for at once.
    public init(capacity: Int = 512) {
        self.buffer = ByteBufferAllocator().buffer(capacity: capacity)
    }

    // MARK: Containers

    /// An object as an element or as the whole document.
    public mutating func object(_ members: (inout JSONWriter) throws -> Void) rethrows {
        try container("{", "}", members)
    }

    /// An array as an element or as the whole document.
    public mutating func array(_ elements: (inout JSONWriter) throws -> Void) rethrows {
        try container("[", "]", elements)
    }

    /// A member that is an object.
    public mutating func object(_ name: StaticString, _ members: (inout JSONWriter) throws -> Void) rethrows {
        key(name)
        try container("{", "}", members)
    }

    /// A member that is an array.
    public mutating func array(_ name: StaticString, _ elements: (inout JSONWriter) throws -> Void) rethrows {
        key(name)
        try container("[", "]", elements)
    }

    private mutating func container(
        _ open: StaticString, _ close: StaticString, _ body: (inout JSONWriter) throws -> Void
    ) rethrows {
        separate()
        buffer.writeStaticString(open)
        needsComma = false
        try body(&self)
        buffer.writeStaticString(close)
        needsComma = true
    }

    // MARK: Members

    /// A member with a text, or null.
    public mutating func field(_ name: StaticString, _ value: String?) {
        key(name)
        element(value)
    }

    /// A member with a whole number, or null.
    public mutating func field(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
        key(name)
        element(value)
    }

    /// A member that is true, false or null.
    public mutating func field(_ name: StaticString, _ value: Bool?) {
        key(name)
        element(value)
    }

    /// A member with a UUID in lower case, or null.
    public mutating func field(_ name: StaticString, _ value: UUID?) {
        key(name)
        element(value)
    }

    /// A member with an instant in microseconds since the Unix epoch, written by ``RFC3339``, or null.
    public mutating func field(_ name: StaticString, microseconds value: Int64?) {
        key(name)
        element(microseconds: value)
    }

    /// A member whose name is not known before, with texts.
    public mutating func field(named name: String, _ values: [String]) {
        key(named: name)
        array { json in
            for value in values { json.element(value) }
        }
    }

    /// A member that is JSON already, for instance a `jsonb` column. It is not checked.
    public mutating func field(_ name: StaticString, rawJSON: some Collection<UInt8>) {
        key(name)
        separate()
        write(rawJSON)
    }

    /// Bytes that are a whole value.
    mutating func write(_ rawJSON: some Collection<UInt8>) {
        buffer.writeBytes(rawJSON)
        needsComma = true
    }

    // MARK: Elements

    /// A text, or null.
    public mutating func element(_ value: String?) {
        guard let value else { return null() }
        separate()
        string(value)
        needsComma = true
    }

    /// A whole number, or null.
    public mutating func element(_ value: (some FixedWidthInteger)?) {
        guard let value else { return null() }
        separate()
        decimal(value)
        needsComma = true
    }

    /// True, false or null.
    public mutating func element(_ value: Bool?) {
        guard let value else { return null() }
        separate()
        buffer.writeStaticString(value ? "true" : "false")
        needsComma = true
    }

    /// A UUID in lower case, or null.
    public mutating func element(_ value: UUID?) {
        guard let value else { return null() }
        separate()
        _ = withUnsafeBytes(of: value.uuid) { bytes in
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 38) { space in
                space[0] = UInt8(ascii: "\"")
                var index = 1
                for (position, byte) in bytes.enumerated() {
                    if position == 4 || position == 6 || position == 8 || position == 10 {
                        space[index] = UInt8(ascii: "-")
                        index += 1
                    }
                    space[index] = Self.hexDigit(byte >> 4)
                    space[index + 1] = Self.hexDigit(byte & 15)
                    index += 2
                }
                space[index] = UInt8(ascii: "\"")
                return index + 1
            }
        }
        needsComma = true
    }

    /// An instant in microseconds since the Unix epoch, or null.
    public mutating func element(microseconds value: Int64?) {
        guard let value else { return null() }
        separate()
        quote()
        RFC3339.write(microseconds: value, into: &buffer)
        quote()
        needsComma = true
    }

    private mutating func null() {
        separate()
        buffer.writeStaticString("null")
        needsComma = true
    }

    // MARK: Bytes

    /// The comma before it, the name in quotes and the colon, in one piece.
    private mutating func key(_ name: StaticString) {
        let hasComma = needsComma
        _ = name.withUTF8Buffer { name in
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: name.count + 4) { space in
                var index = 0
                if hasComma {
                    space[0] = UInt8(ascii: ",")
                    index = 1
                }
                space[index] = UInt8(ascii: "\"")
                UnsafeMutableRawBufferPointer(rebasing: space[(index + 1)...]).copyBytes(from: name)
                index += name.count + 1
                space[index] = UInt8(ascii: "\"")
                space[index + 1] = UInt8(ascii: ":")
                return index + 2
            }
        }
        needsComma = false
    }

    mutating func key(named name: String) {
        separate()
        string(name)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
    }

    private mutating func quote() {
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private mutating func decimal(_ value: some FixedWidthInteger) {
        // Digits from the end of a stack buffer: 20 are enough for any 64-bit integer and its sign.
        guard let value = Int64(exactly: value) else {
            buffer.writeString(String(value))
            return
        }
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { space in
            var rest = value.magnitude
            var index = 20
            repeat {
                index -= 1
                space[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                index -= 1
                space[index] = UInt8(ascii: "-")
            }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: space[index...]))
        }
    }

    private mutating func string(_ value: String) {
        JSONText.write(value, into: &buffer)
    }

    static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}

/// Quoting of text, for the writers of responses and of log lines.
enum JSONText {
    /// Writes a text in quotes, escaping what RFC 8259, section 7, says must be: `"`, `\` and controls.
    static func write(_ value: String, into buffer: inout ByteBuffer) {
        var value = value
        value.withUTF8 { bytes in
            // Most texts have nothing to escape and go out in one piece.
            guard let first = bytes.firstIndex(where: mustEscape) else { return plain(bytes, into: &buffer) }
            buffer.writeInteger(UInt8(ascii: "\""))
            var start = 0
            for index in first..<bytes.count where mustEscape(bytes[index]) {
                if index > start { buffer.writeBytes(UnsafeBufferPointer(rebasing: bytes[start..<index])) }
                escape(bytes[index], into: &buffer)
                start = index + 1
            }
            buffer.writeBytes(UnsafeBufferPointer(rebasing: bytes[start...]))
            buffer.writeInteger(UInt8(ascii: "\""))
        }
    }

    private static func mustEscape(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }

    private static func plain(_ bytes: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count + 2) { space in
            space[0] = UInt8(ascii: "\"")
            UnsafeMutableRawBufferPointer(rebasing: space[1...]).copyBytes(from: bytes)
            space[bytes.count + 1] = UInt8(ascii: "\"")
            return bytes.count + 2
        }
    }

    private static func escape(_ byte: UInt8, into buffer: inout ByteBuffer) {
        switch byte {
        case 0x22: buffer.writeStaticString("\\\"")
        case 0x5C: buffer.writeStaticString("\\\\")
        case 0x0A: buffer.writeStaticString("\\n")
        case 0x0D: buffer.writeStaticString("\\r")
        case 0x09: buffer.writeStaticString("\\t")
        default:
            buffer.writeStaticString("\\u00")
            buffer.writeInteger(JSONWriter.hexDigit(byte >> 4))
            buffer.writeInteger(JSONWriter.hexDigit(byte & 15))
        }
    }
}
