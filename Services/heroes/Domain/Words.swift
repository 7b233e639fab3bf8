/// How the directory cuts text into words, of heroes as well as of searches: without case and marks, in `a-z` where a
/// letter can be written so. `C++`, `C#` and `F#` keep what makes them more than a letter.
public enum Words {
    /// A longer word is cut: an index entry has a limit.
    static let maximumLength = 64

    /// Each word of some texts once, in no order.
    public static func of(_ texts: String...) -> [String] {
        var words: Set<String> = []
        for text in texts { words.formUnion(inOrder(text)) }
        return Array(words)
    }

    /// A discipline among the words of a hero, so that one index of words answers for both. No text has a word with an
    /// equals sign.
    public static func discipline(_ discipline: Discipline) -> String { "=\(discipline.rawValue.lowercased())" }

    /// The words of a text, in order.
    static func inOrder(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        /// `+` and `#` that have followed the word so far; they belong to it if nothing else does.
        var signs = ""
        func end() {
            if !word.isEmpty { words.append(String((word + signs).unicodeScalars.prefix(maximumLength))) }
            word = ""
            signs = ""
        }
        for scalar in text.unicodeScalars {
            if isApostrophe(scalar) { continue }
            if let letters = letters(of: scalar) {
                if !signs.isEmpty {
                    signs = ""
                    end()
                }
                word += letters
            } else if scalar == "+" || scalar == "#", !word.isEmpty {
                signs.unicodeScalars.append(scalar)
            } else {
                end()
            }
        }
        end()
        return words
    }

    static func isApostrophe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "'", "’", "‘", "`", "´", "ʼ": true
        default: false
        }
    }

    private static func letters(of scalar: Unicode.Scalar) -> String? {
        if let ascii = Transliteration.ascii(scalar) { return ascii }
        let properties = scalar.properties
        guard properties.isAlphabetic || properties.numericType != nil else { return nil }
        return properties.lowercaseMapping
    }
}

/// What somebody searches the directory for: heroes that have all of the words. The last may be the beginning of one,
/// as it is while somebody types.
public struct Search: Sendable, Hashable {
    /// The greatest number of Unicode scalars in a search.
    public static let maximumLength = 200
    /// More words than this make a search no narrower.
    static let maximumWords = 12
    /// A shorter beginning would mean almost everybody.
    static let minimumPrefix = 3

    /// Words that must be there as they are.
    public let exact: [String]
    /// What one more word must begin with.
    public let beginning: String?

    /// - Parameter text: as somebody typed it. Without a letter or digit in it nothing is found.
    public init(_ text: String) {
        var words: [String] = []
        for word in Words.inOrder(text) where !words.contains(word) { words.append(word) }
        words = Array(words.prefix(Self.maximumWords))
        if let last = words.last, last.unicodeScalars.count >= Self.minimumPrefix, !"+#".contains(last.suffix(1)) {
            words.removeLast()
            beginning = last
        } else {
            beginning = nil
        }
        exact = words
    }

    /// Whether nothing can be found.
    public var isEmpty: Bool { exact.isEmpty && beginning == nil }
}
