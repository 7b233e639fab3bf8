/// Writes letters of Latin, Greek and Cyrillic alphabets with `a` to `z`.
///
/// Foundation's transforms would need all of ICU in a process that has to stay small. Names of characters, which the
/// standard library knows, say of every Latin letter with marks which letter it is.
enum Transliteration {
    /// The lower-case ASCII for one scalar: letters and digits, nothing for a mark, nil when it isn't known.
    static func ascii(_ scalar: Unicode.Scalar) -> String? {
        if scalar.isASCII { return asciiLetterOrDigit(scalar) }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return ""
        case .decimalNumber: return properties.numericValue.map { String(Int($0)) }
        default: break
        }
        let lower = properties.lowercaseMapping.unicodeScalars
        if lower.count > 1 || lower.first != scalar {
            // Of a letter that becomes several, such as İ, the marks go.
            return lower.map { ascii($0) ?? "" }.joined()
        }
        return table[scalar] ?? latin(properties.name)
    }

    private static func asciiLetterOrDigit(_ scalar: Unicode.Scalar) -> String? {
        switch scalar {
        case "a"..."z", "0"..."9": String(scalar)
        case "A"..."Z": String(scalar.properties.lowercaseMapping)
        default: nil
        }
    }

    /// `LATIN SMALL LETTER E WITH CIRCUMFLEX AND ACUTE` is an e, `LATIN SMALL LETTER AE WITH ACUTE` an ae.
    private static func latin(_ name: String?) -> String? {
        guard let name else { return nil }
        for prefix in ["LATIN SMALL LETTER ", "LATIN SMALL LIGATURE ", "FULLWIDTH LATIN SMALL LETTER "]
        where name.hasPrefix(prefix) {
            let letters = name.dropFirst(prefix.count).prefix { $0 != " " }
            let rest = name.dropFirst(prefix.count + letters.count)
            guard letters.utf8.count <= 3, rest.isEmpty || rest.hasPrefix(" WITH ") else { return nil }
            return letters.lowercased()
        }
        return nil
    }

    private static let table: [Unicode.Scalar: String] = {
        var table: [Unicode.Scalar: String] = [
            // Latin letters whose names don't say it.
            "ß": "ss", "þ": "th", "ð": "d", "ı": "i", "ŋ": "ng", "ĸ": "k", "ŉ": "n", "ſ": "s", "ə": "e", "ȷ": "j",
            "ª": "a", "º": "o",
            // Greek (ISO 843, the everyday way). Letters with marks follow below.
            "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
            "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
            "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
            "ά": "a", "έ": "e", "ή": "i", "ί": "i", "ό": "o", "ύ": "y", "ώ": "o", "ϊ": "i", "ΐ": "i", "ϋ": "y",
            "ΰ": "y",
            // Cyrillic: Russian, then what Ukrainian, Belarusian, Bulgarian, Serbian and Macedonian add.
            "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i",
            "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t",
            "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "",
            "э": "e", "ю": "yu", "я": "ya",
            "є": "ie", "і": "i", "ї": "i", "ґ": "g", "ў": "u", "ђ": "dj", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c",
            "џ": "dz", "ѓ": "g", "ѕ": "dz", "ќ": "k", "ѝ": "i",
        ]
        // Letters that look like an apostrophe and are used as one.
        for mark: Unicode.Scalar in ["ʼ", "ʻ", "ʹ", "ʺ"] { table[mark] = "" }
        return table
    }()
}
