/// Why a value that a client sent was refused, in words fit for that client.
public struct InvalidValue: Error, Hashable, CustomStringConvertible {
    /// A sentence, without the field's name.
    public let message: String

    /// - Parameter message: a sentence, without the field's name and without the value.
    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
