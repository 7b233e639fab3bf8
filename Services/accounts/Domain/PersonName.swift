/// A first or a last name: 1 to 50 Unicode scalars, without white space around them.
public struct PersonName: Sendable, Hashable {
    /// The greatest number of Unicode scalars in a name.
    public static let maximumLength = 50

    /// The name, trimmed.
    public let text: String

    /// - Throws: `InvalidValue` if nothing is left of it, or more than ``maximumLength``, or if it holds a NUL.
    public init(_ text: String) throws(InvalidValue) {
        let trimmed = text.trimmingWhitespace()
        guard !trimmed.isEmpty else { throw InvalidValue("This field may not be blank.") }
        guard trimmed.unicodeScalars.count <= Self.maximumLength else {
            throw InvalidValue("This field may have at most \(Self.maximumLength) characters.")
        }
        guard !trimmed.unicodeScalars.contains("\0") else {
            throw InvalidValue("This field may not contain a null character.")
        }
        self.text = trimmed
    }

    /// A name that was valid when it was stored.
    public init(stored: String) {
        self.text = stored
    }
}

extension String {
    /// The text without the Unicode white space at either end.
    func trimmingWhitespace() -> String {
        var scalars = unicodeScalars[...]
        while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }
}
