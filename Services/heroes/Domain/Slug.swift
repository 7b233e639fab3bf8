/// The part of a hero's address that people read: `a-z`, `0-9` and single hyphens between them, at most 50 characters.
public struct Slug: Sendable, Hashable, CustomStringConvertible {
    /// The greatest number of characters.
    public static let maximumLength = 50
    /// Words that are routes beside `/heroes/<slug>`, and so are never free.
    public static let reserved: Set<String> = ["apply", "profile", "accept", "decline"]

    public let text: String

    /// A slug as it was stored, or as a client wrote it: nil if it can't be one. A bare number is an id.
    public init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard (1...Self.maximumLength).contains(bytes.count), bytes.allSatisfy(Self.isAllowed),
            text.first != "-", !text.hasSuffix("-"), !text.contains("--"), !Self.isTaken(text)
        else { return nil }
        self.text = String(text)
    }

    public var description: String { text }

    /// Whether nobody can have it.
    fileprivate static func isTaken(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy(isDigit) || reserved.contains(String(text))
    }

    private static let hyphen = UInt8(ascii: "-")

    private static func isAllowed(_ byte: UInt8) -> Bool {
        byte == hyphen || isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

/// What the slugs of namesakes have in common: the first gets it as it is, the others with `-1`, `-2` … at its end.
public struct SlugStem: Sendable, Hashable {
    public let text: String

    /// The stem of a person's name; nil when nothing of the name can be written in `a-z0-9`.
    public init?(firstName: String, lastName: String) {
        var text = ""
        var isApart = false
        for scalar in (firstName + " " + lastName).unicodeScalars {
            if Words.isApostrophe(scalar) { continue }
            guard let letters = Transliteration.ascii(scalar) else {
                isApart = true
                continue
            }
            if isApart, !letters.isEmpty, !text.isEmpty { text += "-" }
            if !letters.isEmpty { isApart = false }
            text += letters
        }
        guard !text.isEmpty else { return nil }
        self.text = Self.cut(text, to: Slug.maximumLength)
    }

    /// The stem for a hero whose name gives none.
    public init(heroID: Int64) {
        self.text = "hero-\(heroID)"
    }

    /// The slug of the person so many namesakes came before, or nil where a word is taken from the start.
    ///
    /// - Parameter number: 0 for the first.
    public func slug(_ number: Int64) -> Slug? {
        if number == 0 { return Slug(text) }
        let suffix = "-\(number)"
        return Slug(Self.cut(text, to: Slug.maximumLength - suffix.utf8.count) + suffix)
    }

    private static func cut(_ text: String, to length: Int) -> String {
        var text = text.prefix(length)
        while text.last == "-" { text.removeLast() }
        return String(text)
    }
}
