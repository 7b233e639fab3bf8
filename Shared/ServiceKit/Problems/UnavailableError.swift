import Postgres

/// An error that may mean "not now" rather than "never": it is answered 503 with `Retry-After` and not as a fault.
public protocol UnavailableError: Error {
    /// Whether trying again in a moment makes sense.
    var isUnavailable: Bool { get }
}

extension Problem {
    /// What a client is told of any error, or nil for one that nobody foresaw.
    public init?(_ error: any Error) {
        switch error {
        case let problem as Problem:
            self = problem
        case let error as any UnavailableError where error.isUnavailable:
            self = .unavailable()
        case is CancellationError:
            // Only a process that is going away cancels requests; another replica can answer the next try.
            self = .unavailable()
        case let error as PostgresError where error.code == .cancelled:
            // The same, met during a statement.
            self = .unavailable()
        default:
            return nil
        }
    }
}
