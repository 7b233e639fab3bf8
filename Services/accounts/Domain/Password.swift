/// A password that may be chosen: 8 to 128 Unicode scalars with at least one of 0-9.
///
/// It is not trimmed or changed in any way, and never appears in a description.
public struct Password: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The numbers of Unicode scalars a password may have.
    public static let lengths = 8...128

    /// The password itself, to be hashed and written nowhere.
    public let secret: String

    /// - Throws: `InvalidValue` if it is too short, too long, without a digit, or holds a NUL.
    public init(_ text: String) throws(InvalidValue) {
        let scalars = text.unicodeScalars
        guard scalars.count >= Self.lengths.lowerBound else {
            throw InvalidValue("The password must have at least \(Self.lengths.lowerBound) characters.")
        }
        guard scalars.count <= Self.lengths.upperBound else {
            throw InvalidValue("The password may have at most \(Self.lengths.upperBound) characters.")
        }
        guard scalars.contains(where: { ("0"..."9").contains($0) }) else {
            throw InvalidValue("The password must contain at least one digit.")
        }
        guard !scalars.contains("\0") else { throw InvalidValue("This field may not contain a null character.") }
        self.secret = text
    }

    public var description: String { "Password(…)" }
    public var debugDescription: String { description }
}
