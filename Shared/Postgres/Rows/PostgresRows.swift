/// What a statement answered. Values are decoded when asked for, from the memory the answer arrived in.
public struct PostgresRows: Sendable {
    @usableFromInline let result: ServerResult

    init(_ result: ServerResult) {
        self.result = result
    }

    /// The answer to what sends nothing.
    static var nothing: PostgresRows { PostgresRows(ServerResult.empty()) }

    /// Rows inserted, updated, deleted or selected.
    public var affected: Int { result.affected }

    /// Names of the columns, in order.
    public var columns: [String] { (0..<result.columns).map { result.name(column: $0) ?? "" } }

    /// Every row as a tuple.
    /// - Throws: ``PostgresError`` with code `decoding` when the columns are not of these types, or not as many.
    @inlinable
    public func decode<each Value: PostgresDecodable>(_ types: (repeat each Value).Type) throws -> [(repeat each Value)]
    {
        var rows: [(repeat each Value)] = []
        rows.reserveCapacity(result.count)
        for row in 0..<result.count {
            rows.append(try PostgresRow(result: result, index: row).decode(types))
        }
        return rows
    }

    /// The only column of every row.
    /// - Throws: ``PostgresError`` with code `decoding` when there are more, or it is of another type.
    @inlinable
    public func decode<Value: PostgresDecodable>(_ type: Value.Type) throws -> [Value] {
        try map { try $0.decode(type) }
    }
}

extension PostgresRows: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { result.count }

    public subscript(position: Int) -> PostgresRow {
        precondition(position >= 0 && position < result.count, "row out of range")
        return PostgresRow(result: result, index: position)
    }
}

/// One row of an answer.
public struct PostgresRow: Sendable {
    @usableFromInline let result: ServerResult
    @usableFromInline let index: Int

    @usableFromInline
    init(result: ServerResult, index: Int) {
        self.result = result
        self.index = index
    }

    /// The whole row as a tuple.
    /// - Throws: ``PostgresError`` with code `decoding` when the columns are not of these types, or not as many.
    @inlinable
    public func decode<each Value: PostgresDecodable>(_ types: (repeat each Value).Type) throws -> (repeat each Value) {
        var column = 0
        func next<Column: PostgresDecodable>(_ type: Column.Type) throws -> Column {
            defer { column += 1 }
            return try decode(column: column, as: type)
        }
        let values = (repeat try next((each Value).self))
        guard column == result.columns else {
            throw PostgresError(.decoding, "\(column) values asked for in a row of \(result.columns)")
        }
        return values
    }

    /// The only column.
    /// - Throws: ``PostgresError`` with code `decoding` when there are more, or it is of another type.
    @inlinable
    public func decode<Value: PostgresDecodable>(_ type: Value.Type) throws -> Value {
        guard result.columns == 1 else {
            throw PostgresError(.decoding, "1 value asked for in a row of \(result.columns)")
        }
        return try decode(column: 0, as: type)
    }

    /// One column, counted from 0.
    /// - Throws: ``PostgresError`` with code `decoding` when it is not there or of another type.
    @inlinable
    public func decode<Value: PostgresDecodable>(column: Int, as type: Value.Type = Value.self) throws -> Value {
        guard column >= 0, column < result.columns else { throw PostgresError(.decoding, "no column \(column)") }
        return try withExtendedLifetime(result) { try Value(from: result.cell(row: index, column: column)) }
    }
}
