/// A phone number in the United States: exactly ten ASCII digits.
public struct PhoneNumber: Sendable, Hashable {
    /// The ten digits.
    public let digits: String

    /// - Throws: `InvalidValue` if the text is anything else; nothing is trimmed or reformatted.
    public init(_ text: String) throws(InvalidValue) {
        let bytes = text.utf8
        guard bytes.count == 10, bytes.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else {
            throw InvalidValue("Enter a phone number of exactly ten digits.")
        }
        self.digits = text
    }

    /// A number that was valid when it was stored.
    public init(stored: String) {
        self.digits = stored
    }
}
