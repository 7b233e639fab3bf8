import AccountsDomain
import Postgres

extension Instant: PostgresEncodable, PostgresDecodable {
    /// timestamptz, which counts in microseconds too.
    public static var postgresType: PostgresType { Timestamp.postgresType }

    public func encode(into parameters: inout PostgresParameters) {
        Timestamp(microseconds: microseconds).encode(into: &parameters)
    }

    public init(from cell: PostgresCell) throws {
        self.init(microseconds: try Timestamp(from: cell).microseconds)
    }

    /// The system's time.
    public static func now() -> Instant {
        Instant(microseconds: Timestamp.now().microseconds)
    }
}
