import CallsDomain
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

extension Instant: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { Timestamp.postgresArrayType }

    public static func encode(_ array: [Instant], into parameters: inout PostgresParameters) {
        Timestamp.encode(array.map { Timestamp(microseconds: $0.microseconds) }, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Instant] {
        try Timestamp.decodeArray(from: cell).map { Instant(microseconds: $0.microseconds) }
    }
}

extension CallRequest.Status: PostgresEncodable, PostgresDecodable {}
