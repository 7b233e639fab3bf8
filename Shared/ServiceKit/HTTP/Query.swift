/// The query of a request, as HTML forms encode it: `a=1&b=two+words`.
public struct Query: Sendable {
    private let pairs: [(name: String, value: String)]

    /// - Parameter text: what follows the question mark, or nil.
    /// - Throws: `Problem` of code `invalid` when a name or value does not decode to UTF-8 text, or holds a NUL.
    public init(_ text: some StringProtocol) throws(Problem) {
        var pairs: [(String, String)] = []
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = Percent.decode(pair[..<equals], plusIsSpace: true) else {
                throw Problem(.invalid, "The query does not decode to text.")
            }
            guard let value = Percent.decode(pair[equals...].dropFirst(), plusIsSpace: true), !value.utf8.contains(0)
            else { throw .invalid(name, "This does not decode to text.") }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    /// The value of a parameter; of several the last.
    public subscript(name: String) -> String? {
        pairs.last { $0.name == name }?.value
    }

    /// A whole number.
    ///
    /// - Throws: `Problem` of code `invalid` when the parameter is there but no such number.
    public func integer(_ name: String, _ range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        guard let text = self[name] else { return nil }
        guard let number = Int64(text) else { throw .invalid(name, "This must be a whole number.") }
        do {
            return try Rules.integer(.integer(number), range)
        } catch {
            throw .invalid(name, error.message)
        }
    }

    /// `true` or `false`.
    ///
    /// - Throws: `Problem` of code `invalid` when the parameter is there but neither.
    public func bool(_ name: String) throws(Problem) -> Bool? {
        switch self[name] {
        case nil: nil
        case "true": true
        case "false": false
        default: throw .invalid(name, "This must be true or false.")
        }
    }
}

/// Percent-encoding (RFC 3986, section 2.1).
enum Percent {
    /// The decoded text, or nil for a broken escape or bytes that are not UTF-8.
    static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(value), let low = iterator.next().flatMap(value) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
            default:
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
