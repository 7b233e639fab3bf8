/// A value that can be bound to a statement.
public protocol PostgresEncodable: Sendable {
    /// The type the parameter is declared with.
    static var postgresType: PostgresType { get }

    /// Appends the value in the format of ``postgresType``.
    func encode(into parameters: inout PostgresParameters)
}

extension PostgresEncodable where Self: RawRepresentable, RawValue: PostgresEncodable {
    public static var postgresType: PostgresType { RawValue.postgresType }

    public func encode(into parameters: inout PostgresParameters) {
        rawValue.encode(into: &parameters)
    }
}
