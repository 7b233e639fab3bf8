/// An error the server reported (protocol, "Error and Notice Message Fields").
struct ServerFailure: Sendable, Equatable {
    var sqlState: String
    /// FATAL or PANIC: the server closes the connection after it.
    var isFatal = false
    var message = ""
    var constraint: String?
    var table: String?
    var column: String?
    /// The function in the server's source that raised it.
    var routine: String?

    /// The prepared statement is not, no longer, or already there, or its result's shape has changed: what failed is
    /// our memory of the connection, not the statement.
    var isStaleStatement: Bool {
        sqlState == "26000" || sqlState == "42P05" || (sqlState == "0A000" && routine == "RevalidateCachedQuery")
    }

    var isCancellation: Bool { sqlState == "57014" }

    func error(_ code: PostgresError.Code = .server) -> PostgresError {
        var error = PostgresError(code, message, sqlState: sqlState)
        error.constraint = constraint
        error.table = table
        error.column = column
        return error
    }
}
