/// The address of a picture: an absolute http or https URL (RFC 3986) of at most 2048 characters. It is never fetched.
public struct ImageURL: Sendable, Hashable {
    /// The greatest number of characters.
    public static let maximumLength = 2048

    /// The URL as it was given.
    public let text: String

    /// - Throws: `InvalidValue` if the text isn't such a URL.
    public init(_ text: String) throws(InvalidValue) {
        guard text.unicodeScalars.count <= Self.maximumLength else {
            throw InvalidValue("This field may have at most \(Self.maximumLength) characters.")
        }
        guard let rest = Self.afterScheme(text), rest.utf8.allSatisfy(Self.isAllowed), Self.escapesAreWhole(rest.utf8)
        else { throw InvalidValue("Enter a valid http or https URL.") }
        let authority = rest.prefix { !"/?#".contains($0) }
        // What stands before an "@" only ever serves to make one host look like another.
        guard !authority.contains("@"), Self.isHostAndPort(authority) else {
            throw InvalidValue("Enter a valid http or https URL.")
        }
        self.text = text
    }

    /// A URL that was valid when it was stored.
    public init(stored: String) {
        self.text = stored
    }

    private static func afterScheme(_ text: String) -> Substring? {
        for scheme in ["https://", "http://"] where text.prefix(scheme.count).lowercased() == scheme {
            return text.dropFirst(scheme.count)
        }
        return nil
    }

    /// Printable ASCII but for what RFC 3986 has no place for.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !forbidden.contains(byte)
    }

    private static let forbidden = Set("\"<>\\^`{|}".utf8)

    private static func escapesAreWhole(_ bytes: Substring.UTF8View) -> Bool {
        var expected = 0
        for byte in bytes {
            if expected > 0 {
                guard isHexDigit(byte) else { return false }
                expected -= 1
            } else if byte == UInt8(ascii: "%") {
                expected = 2
            }
        }
        return expected == 0
    }

    private static func isHostAndPort(_ authority: Substring) -> Bool {
        var host = authority
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return false }
            let address = host[host.index(after: host.startIndex)..<end]
            return address.contains(":") && address.utf8.allSatisfy { isHexDigit($0) || $0 == 0x3A || $0 == 0x2E }
                && isPort(host[host.index(after: end)...])
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[colon...]) else { return false }
            host = host[..<colon]
        }
        return !host.isEmpty && host.utf8.count <= 253
            && host.split(separator: ".", omittingEmptySubsequences: false).dropLast(host.hasSuffix(".") ? 1 : 0)
                .allSatisfy { label in
                    !label.isEmpty && label.utf8.count <= 63
                        && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D || $0 == 0x5F }
                }
    }

    /// Nothing, or a colon and a port.
    private static func isPort(_ text: Substring) -> Bool {
        guard let colon = text.first else { return true }
        let digits = text.dropFirst()
        return colon == ":" && (digits.isEmpty || (UInt16(digits) != nil && digits.first != "+"))
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "a")...UInt8(ascii: "f"):
            true
        default: false
        }
    }
}
