/// What went wrong with the database. ``description`` holds no data and may be logged; the server's own words, which
/// may quote a value, are in ``message`` and in `String(reflecting:)`.
public struct PostgresError: Error, Sendable {
    /// What a caller can tell apart.
    public enum Code: String, Sendable {
        /// No connection could be had within the wait: the server is away.
        case unavailable
        /// Every connection stayed busy for the whole wait, or too many wait already.
        case poolExhausted
        /// The statement ran into its timeout, or the server fell silent during it.
        case timedOut
        /// The caller's task was cancelled; the statement took no effect, unless it is a lone write's ``outcomeUnknown``.
        case cancelled
        /// The connection was lost and nothing of the statement or transaction took effect.
        case connectionLost
        /// The connection was lost after the write or COMMIT had been sent: it may have taken effect or not.
        case outcomeUnknown
        /// The server refused the statement; see ``PostgresError/sqlState``.
        case server
        /// An earlier statement had failed, so the server rolled the transaction back when it was told to commit.
        case transactionAborted
        /// A value could not be sent: a NUL in text, a time out of range, too many parameters.
        case encoding
        /// A column did not hold what was asked for.
        case decoding
        /// The client, or the transaction or session used, is closed.
        case closed
        /// libpq or the server did what they should never do; the connection was closed.
        case protocolViolation
    }

    public let code: Code
    /// The five characters of PostgreSQL's appendix A, when the server said why.
    public var sqlState: String?
    /// The constraint that refused the statement.
    public var constraint: String?
    /// The table the server named.
    public var table: String?
    /// The column the server named.
    public var column: String?
    /// The server's or libpq's words. They may hold data: not for clients, not for logs.
    public var message: String
    /// What lies beneath, such as the failure that aborted the transaction.
    public var cause: (any Error)?

    /// - Parameters:
    ///   - code: what a caller can tell apart.
    ///   - message: words for ``message``.
    public init(_ code: Code, _ message: String = "", sqlState: String? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.cause = cause
    }

    /// True when the database could not serve now and the request is worth another try later (503 with `Retry-After`).
    public var isUnavailable: Bool {
        switch code {
        case .unavailable, .poolExhausted, .timedOut, .connectionLost, .outcomeUnknown, .closed: true
        case .server: sqlState.map { $0.hasPrefix("53") || $0.hasPrefix("57P") } ?? false
        default: false
        }
    }

    /// The transaction failed for no fault of its own and may be run again: serialization failure, deadlock, or our
    /// memory of the connection's prepared statements being wrong.
    var isWorthAnotherTry: Bool {
        sqlState == "40001" || sqlState == "40P01" || sqlState == Self.staleStatement
    }

    static let staleStatement = "26000"

    /// Unique or exclusion constraint refused it; see ``constraint`` for which.
    public var isConflict: Bool { sqlState == "23505" || sqlState == "23P01" }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String {
        var text = "PostgresError(\(code.rawValue)"
        if let sqlState { text += ", sqlState: \(sqlState)" }
        if let constraint { text += ", constraint: \(constraint)" }
        return text + ")"
    }

    public var debugDescription: String {
        var text = description.dropLast() + ", message: \(String(reflecting: message))"
        if let table { text += ", table: \(table)" }
        if let column { text += ", column: \(column)" }
        if let cause { text += ", cause: \(String(reflecting: cause))" }
        return text + ")"
    }
}
