import CLibpq

/// Owns one `PGresult` and frees it.
///
/// Sendable without check: libpq never writes to a result after it handed it over (libpq, "Behavior in Threaded
/// Programs": results are read-only and may be passed between threads), and nothing here writes to it either.
@usableFromInline
final class ServerResult: @unchecked Sendable {
    @usableFromInline let pointer: OpaquePointer
    @usableFromInline let count: Int
    @usableFromInline let columns: Int

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        self.count = Int(PQntuples(pointer))
        self.columns = Int(PQnfields(pointer))
    }

    static func empty() -> ServerResult {
        guard let pointer = PQmakeEmptyPGresult(nil, PGRES_COMMAND_OK) else { fatalError("out of memory") }
        return ServerResult(pointer)
    }

    deinit { PQclear(pointer) }

    @usableFromInline
    func cell(row: Int, column: Int) -> PostgresCell {
        let (row, column) = (Int32(truncatingIfNeeded: row), Int32(truncatingIfNeeded: column))
        let type = PQftype(pointer, column)
        let length = Int(PQgetlength(pointer, row, column))
        if length == 0, PQgetisnull(pointer, row, column) == 1 { return PostgresCell(type: type, bytes: nil) }
        return PostgresCell(
            type: type, bytes: UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, column), count: length))
    }

    /// Rows the command touched (`PQcmdTuples`), 0 when it counts none.
    var affected: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }

    /// `INSERT 0 1`, `COMMIT`, … (`PQcmdStatus`).
    var tag: String { String(cString: PQcmdStatus(pointer)) }

    var isCopyIn: Bool { PQresultStatus(pointer) == PGRES_COPY_IN }

    func name(column: Int) -> String? {
        PQfname(pointer, Int32(truncatingIfNeeded: column)).map { String(cString: $0) }
    }
}
