import Logging
import NIOCore
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle

/// Applies the events of one other service, each once, whatever happens and with however many replicas.
public struct EventConsumer: Service {
    /// Makes the effect of one event, in the transaction that also moves the cursor. It must touch nothing but the
    /// transaction: it may run again when that is rolled back.
    public typealias Handler = @Sendable (Event, PostgresTransaction) async throws -> Void

    /// How a consumer that can't go on from its cursor is filled anew from the owner's snapshot route.
    public struct Snapshot: Sendable {
        /// The owner's route, such as `/internal/v1/users`; see ``SnapshotPage``.
        var path: String
        /// Stores items of the snapshot unless what is there is newer.
        var store: @Sendable ([[String: JSONValue]], PostgresTransaction) async throws -> Void

        public init(
            path: String, store: @escaping @Sendable ([[String: JSONValue]], PostgresTransaction) async throws -> Void
        ) {
            self.path = path
            self.store = store
        }
    }

    let source: String
    let schema: String
    let postgres: PostgresClient

    /// - Parameters:
    ///   - source: the service whose events these are.
    ///   - schema: the schema with the tables of ``EventTables`` in which the cursor is kept.
    ///   - redis: where the doorbell rings; the consumer has a subscribed connection of its own.
    ///   - owner: asks the source for what was missed.
    ///   - snapshot: nil for a consumer that needs only what happens from now on.
    ///   - handlers: by type of event; a type without one moves the cursor only.
    ///   - onCommit: what took effect just now in this process, after the commit.
    public init(
        of source: String, schema: String, postgres: PostgresClient, redis: RedisConfiguration,
        eventLoop: any EventLoop, owner: InternalClient, snapshot: Snapshot? = nil, handlers: [String: Handler],
        logger: Logger, onCommit: @escaping @Sendable ([Event]) async -> Void = { _ in }
    ) {
        self.source = source
        self.schema = schema
        self.postgres = postgres
    }

    public func run() async throws {
        try? await gracefulShutdown()
    }

    /// Fills this service's copies anew from the owner's snapshot and goes on from there: `<service> rebuild`.
    public func rebuild() async throws {}
}
