import Postgres

/// Reads the columns of a row one after the other, for rows that are made of several things.
struct ColumnReader {
    private let row: PostgresRow
    /// The next column, counted from 0.
    private(set) var column: Int

    init(_ row: PostgresRow, from column: Int = 0) {
        self.row = row
        self.column = column
    }

    /// The next column.
    ///
    /// - Throws: `PostgresError` with code `decoding`.
    mutating func next<Value: PostgresDecodable>(_ type: Value.Type = Value.self) throws -> Value {
        defer { column += 1 }
        return try row.decode(column: column)
    }
}
