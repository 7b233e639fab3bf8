import Postgres

/// Reads the columns of a row one after the other, for rows that are made of several things.
struct ColumnReader {
    private let row: PostgresRow
    private var column = 0

    init(_ row: PostgresRow) {
        self.row = row
    }

    /// The next column.
    ///
    /// - Throws: `PostgresError` with code `decoding`.
    mutating func next<Value: PostgresDecodable>(_ type: Value.Type = Value.self) throws -> Value {
        defer { column += 1 }
        return try row.decode(column: column)
    }
}
