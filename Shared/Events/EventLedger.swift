import Postgres
import ServiceKit

/// Lets other services read what this one has published: `GET /internal/v1/events?after=<position>&limit=<n>`.
public struct EventLedger: Sendable {
    let outbox: Outbox
    let postgres: PostgresClient

    public init(_ outbox: Outbox, postgres: PostgresClient) {
        self.outbox = outbox
        self.postgres = postgres
    }

    /// - Parameter readers: the names of the processes that may read it.
    public func route(for readers: Set<String>) -> Route {
        Route(.get, "/internal/v1/events", access: .service(readers)) { _ in throw Problem(.notImplemented) }
    }
}
