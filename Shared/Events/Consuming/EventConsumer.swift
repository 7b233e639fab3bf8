import Logging
import NIOCore
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle

/// Applies the events of one other service, each once, whatever happens and with however many replicas.
///
/// The channel in Redis tells that there is something new, and mostly also what. The cursor tells what has taken effect;
/// whatever is missing is pulled from the owner's ledger: at the start, after a reconnect, when there is a gap, and every
/// few seconds.
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

    let inbox: Inbox
    let rebuilding: Rebuilding
    private let source: String
    private let redis: RedisConfiguration
    private let eventLoop: any EventLoop
    private let owner: EventOwner
    private let metrics: ConsumerMetrics
    private let settings: ConsumerSettings
    private let logger: Logger
    private let onCommit: @Sendable ([Event]) async -> Void

    /// - Parameters:
    ///   - source: the service whose events these are.
    ///   - schema: the schema with the tables of ``EventTables`` in which the cursor is kept.
    ///   - redis: where the doorbell rings; the consumer has a subscribed connection of its own.
    ///   - owner: asks the source for what was missed.
    ///   - snapshot: nil for a consumer that needs only what happens from now on. It starts at the oldest event that the
    ///     owner still keeps.
    ///   - handlers: by type of event; a type without one moves the cursor only.
    ///   - settings: how it works.
    ///   - onCommit: what took effect just now in this process, after the commit; also events without a handler.
    public init(
        of source: String, schema: String, postgres: PostgresClient, redis: RedisConfiguration,
        eventLoop: any EventLoop, owner: InternalClient, snapshot: Snapshot? = nil, handlers: [String: Handler],
        settings: ConsumerSettings = ConsumerSettings(), logger: Logger,
        onCommit: @escaping @Sendable ([Event]) async -> Void = { _ in }
    ) {
        precondition(EventTables.isIdentifier(schema), "not a schema's name")
        var logger = logger
        logger[metadataKey: "source"] = "\(source)"
        self.source = source
        self.redis = redis.named("events-\(source)")
        self.eventLoop = eventLoop
        self.settings = settings
        self.logger = logger
        self.onCommit = onCommit
        self.owner = EventOwner(source: source, client: owner)
        metrics = ConsumerMetrics(service: schema, source: source)
        inbox = Inbox(
            source: source, schema: schema, postgres: postgres, handlers: handlers, settings: settings,
            metrics: metrics, logger: logger)
        rebuilding = Rebuilding(
            owner: self.owner, inbox: inbox, snapshot: snapshot, metrics: metrics, logger: logger)
    }

    /// Consumes until the process shuts down; a transaction under way is finished.
    ///
    /// - Throws: what makes it impossible to subscribe at all, such as TLS settings that can't be used.
    public func run() async throws {
        let halt = Halt()
        let arrivals = Arrivals()
        let subscriber = RedisSubscriber(
            redis, eventLoop: eventLoop, channels: [Outbox.channel(source)], logger: logger,
            onMessage: { arrivals.add($1) }, onUp: { arrivals.subscribed() }, onDown: { arrivals.cutOff() })
        var loop = ConsumerLoop(
            arrivals: arrivals, owner: owner, inbox: inbox, rebuilding: rebuilding, halt: halt, metrics: metrics,
            settings: settings, logger: logger, onCommit: onCommit)
        try await halt.whileRunning {
            arrivals.wake()
        } _: {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await subscriber.run() }
                await loop.run()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    /// Fills this service's copies anew from the owner's snapshot and goes on from there: `<service> rebuild`. What has
    /// happened since the snapshot takes effect when the service runs, as ever; a cursor that can go on stays.
    ///
    /// - Throws: ``OwnerFault`` when the owner can't be asked, `PostgresError`, and what the snapshot's `store` throws.
    public func rebuild() async throws {
        try await rebuilding.fillAnew()
    }
}
