import Postgres

/// What makes one JSON value a good one. The readers of ``Fields`` and of ``Query`` share these.
enum Rules {
    static func string(
        _ value: JSONValue, _ length: ClosedRange<Int>? = nil, _ trimmed: Bool = false
    ) throws(FieldError) -> String {
        guard case .string(let sent) = value else { throw FieldError("This must be a text.") }
        let text = trimmed ? trim(sent) : sent
        // Postgres has no text with NUL in it, and C ends there.
        guard !text.utf8.contains(0) else { throw FieldError("This may not contain a NUL character.") }
        guard let length else { return text }
        let count = text.unicodeScalars.count
        if count == 0, length.lowerBound > 0 { throw FieldError("This may not be empty.") }
        if count < length.lowerBound {
            throw FieldError("This must have at least \(length.lowerBound) characters.")
        }
        if count > length.upperBound {
            throw FieldError("This must have at most \(length.upperBound) characters.")
        }
        return text
    }

    static func integer(_ value: JSONValue, _ range: ClosedRange<Int64>? = nil) throws(FieldError) -> Int64 {
        switch value {
        case .integer(let number):
            guard let range, !range.contains(number) else { return number }
            throw FieldError(outOf(range))
        case .number(let number) where number.rounded() == number:
            throw FieldError(range.map(outOf) ?? "This number is too large.")
        default:
            throw FieldError("This must be a whole number.")
        }
    }

    private static func outOf(_ range: ClosedRange<Int64>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (let low, .max): "This must be at least \(low)."
        case (.min, let high): "This must be at most \(high)."
        case (let low, let high): "This must be from \(low) to \(high)."
        }
    }

    static func bool(_ value: JSONValue) throws(FieldError) -> Bool {
        guard case .bool(let truth) = value else { throw FieldError("This must be true or false.") }
        return truth
    }

    static func url(_ value: JSONValue, _ maximumLength: Int) throws(FieldError) -> String {
        let text = try string(value, 1...maximumLength)
        guard isWebURL(text) else { throw FieldError("This must be an http or https URL.") }
        return text
    }

    static func instant(_ value: JSONValue) throws(FieldError) -> Timestamp {
        let text = try string(value)
        guard let instant = Timestamp(rfc3339: text) else {
            throw FieldError("This must be a date and time with an offset, such as 2016-11-16T15:56:56Z.")
        }
        return instant
    }

    static func parsed<Value>(
        _ value: JSONValue, _ message: String, _ parse: (String) throws -> Value?
    ) throws -> Value {
        let text = try string(value)
        guard let result = try parse(text) else { throw FieldError(message) }
        return result
    }

    /// White space from both ends, as Unicode has it.
    static func trim(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let start = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let end = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[start...end])
    }

    /// Whether it is an absolute http(s) URL with a host (RFC 3986), of printable ASCII without what browsers and
    /// servers read in different ways: no user, no backslash, no quotes or angle brackets.
    static func isWebURL(_ text: String) -> Bool {
        let lowered = text.prefix(8).lowercased()
        let scheme = lowered.hasPrefix("https://") ? 8 : lowered.hasPrefix("http://") ? 7 : 0
        guard scheme > 0,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.forbidden.contains($0) })
        else { return false }
        let rest = text.utf8.dropFirst(scheme)
        let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        guard !authority.contains(UInt8(ascii: "@")) else { return false }
        return isHostAndPort(authority)
    }

    private static let forbidden = Set("\"<>\\^`{|}".utf8)

    private static func isHostAndPort(_ authority: Substring.UTF8View) -> Bool {
        var host = authority
        if let close = authority.lastIndex(of: UInt8(ascii: "]")) {
            guard authority.first == UInt8(ascii: "[") else { return false }
            let address = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            return address.contains(UInt8(ascii: ":"))
                && address.allSatisfy { isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
                && (after.isEmpty || isPort(after))
        }
        if let colon = authority.lastIndex(of: UInt8(ascii: ":")) {
            guard isPort(authority[colon...]) else { return false }
            host = authority[..<colon]
        }
        // Labels of letters, digits, hyphens and underscores; at most 253 bytes and none empty, but for a final dot.
        let labels = (host.last == UInt8(ascii: ".") ? host.dropLast() : host)
            .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return (1...253).contains(host.count)
            && labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                    && label.allSatisfy {
                        isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                    }
            }
    }

    private static func isPort(_ text: Substring.UTF8View) -> Bool {
        let digits = text.dropFirst()
        guard text.first == UInt8(ascii: ":"), digits.allSatisfy(isDigit) else { return false }
        return digits.isEmpty || (digits.count <= 5 && UInt16(String(Substring(digits))) != nil)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (0x61...0x66).contains(byte | 0x20) }
    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7A).contains(byte | 0x20)
    }
}
