/// An address that mail can be sent to, in lower case.
///
/// What is taken is the part of RFC 5321 that is in use: `dot-atom@domain`, the domain with at least one dot. Quoted
/// local parts, address literals and anything but ASCII are refused, so an address never needs quoting in a header.
public struct EmailAddress: Sendable, Hashable {
    /// The greatest number of characters in an address (RFC 5321, section 4.5.3.1.3, without the angle brackets).
    public static let maximumLength = 254

    /// The address in lower case.
    public let text: String

    /// - Throws: `InvalidValue` if the text isn't such an address.
    public init(_ text: String) throws(InvalidValue) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumLength, let at = bytes.lastIndex(of: UInt8(ascii: "@")),
            Self.isLocalPart(bytes[..<at]), Self.isDomain(bytes[(at + 1)...])
        else { throw InvalidValue("Enter a valid email address.") }
        self.text = text.lowercased()
    }

    /// An address that was valid when it was stored.
    public init(stored: String) {
        self.text = stored
    }

    /// RFC 5322, section 3.2.3: `dot-atom-text`, at most 64 octets.
    private static func isLocalPart(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count <= 64 else { return false }
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .allSatisfy { atom in !atom.isEmpty && atom.allSatisfy { isAlphanumeric($0) || atomSigns.contains($0) } }
    }

    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.count >= 2, bytes.count <= 253, let top = labels.last else { return false }
        // A top-level domain is never a number; an address in dotted quads is.
        return labels.allSatisfy(isLabel) && !top.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// RFC 1123, section 2.1: letters, digits and inner hyphens, 1 to 63 of them.
    private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
        let hyphen = UInt8(ascii: "-")
        guard (1...63).contains(label.count), label.first != hyphen, label.last != hyphen else { return false }
        return label.allSatisfy { isAlphanumeric($0) || $0 == hyphen }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private static let atomSigns = Set("!#$%&'*+/=?^_`{|}~-".utf8)
}
