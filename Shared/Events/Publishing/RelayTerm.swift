import Logging
import Postgres
import Redis
import ServiceKit

/// The time in which one process leads: from getting the lock to losing the session that holds it.
struct RelayTerm: Sendable {
    private let outbox: Outbox
    private let connection: PostgresConnection
    private let relay: Relay
    private let settings: RelaySettings
    private let metrics: RelayMetrics

    init(_ relay: Relay, _ connection: PostgresConnection, _ metrics: RelayMetrics) {
        self.outbox = relay.outbox
        self.connection = connection
        self.relay = relay
        self.settings = relay.settings
        self.metrics = metrics
    }

    /// Leads until the end is told, or the session is lost.
    ///
    /// - Throws: `PostgresError` when the session is lost.
    func run(until halt: Halt) async throws {
        relay.logger.info("leads")
        let doorbell = outbox.doorbell
        doorbell.isLeading = true
        metrics.leads(true)
        defer {
            doorbell.isLeading = false
            metrics.leads(false)
            // Rings that came here meanwhile are the next leader's.
            doorbell.elsewhere.ring()
            relay.logger.info("leads no more")
        }
        let publisher = Publisher(channel: Outbox.channel(outbox.service), redis: relay.redis, metrics: metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in connection.notifications { doorbell.here.ring() }
                // It ended: the loop below finds out why.
                doorbell.here.ring()
            }
            group.addTask { await Pruning(outbox, relay.postgres, settings, metrics, relay.logger).run() }
            try await withThrowingTaskGroup(of: Void.self) { publishing in
                publishing.addTask { await publisher.run() }
                do {
                    try await lead(publisher, until: halt)
                } catch {
                    // It leads no more: what waits to be published is the next leader's affair.
                    publishing.cancelAll()
                    throw error
                }
                publisher.finish()
            }
            group.cancelAll()
        }
    }

    private func lead(_ publisher: Publisher, until halt: Halt) async throws {
        try await connection.listen(relay.channel)
        // A leader that died may not have told of its last events.
        publisher.publish(try await newest())
        while true {
            // Before the look, so that what was committed before the end was told is seen by it.
            let isLast = halt.isSet
            let began = ContinuousClock.now
            let rows = try await give()
            publisher.publish(rows)
            if let last = rows.last { metrics.gave(rows.count, through: last.attributes.position) }
            try Task.checkCancellation()
            if rows.count == settings.batch { continue }
            if isLast { return }
            // So that the next look is for many too, while they come.
            if rows.count >= settings.many { try await Task.sleep(until: began + settings.lookInterval) }
            await outbox.doorbell.here.wait(until: .now + settings.pollInterval)
        }
    }

    /// Gives the next positions to what has been committed.
    ///
    /// - Returns: the events, in the order of their positions; nothing when none wait.
    private func give() async throws -> [OutboxRow] {
        let schema = outbox.schema
        // Most looks find nothing, and then nothing is written or locked.
        let waiting = try await connection.execute(
            "SELECT 1 FROM \(unsafeRaw: schema).outbox WHERE position IS NULL ORDER BY id LIMIT 1")
        if waiting.isEmpty { return [] }
        try await connection.execute("BEGIN")
        // Locked in a statement of its own: the next one then sees all that whoever held the lock before has done. The
        // advisory lock alone would do; two locks keep positions gapless if one is ever lost.
        try await connection.execute("SELECT position FROM \(unsafeRaw: schema).relay_head FOR UPDATE")
        // By id: events of one subject have ids in the order of their commits, since their writers hold its row. The
        // limit is part of the text: for one unknown the planner reckons with a tenth of the table and may read all of it.
        let rows = try await connection.execute(
            """
            WITH waiting AS MATERIALIZED ( \
                SELECT id, row_number() OVER (ORDER BY id) AS number FROM ( \
                    SELECT id FROM \(unsafeRaw: schema).outbox WHERE position IS NULL \
                    ORDER BY id LIMIT \(unsafeRaw: "\(settings.batch)")) first), \
            head AS ( \
                UPDATE \(unsafeRaw: schema).relay_head \
                SET position = position + (SELECT count(*) FROM waiting) \
                RETURNING position - (SELECT count(*) FROM waiting) AS base) \
            UPDATE \(unsafeRaw: schema).outbox o SET position = head.base + waiting.number \
            FROM waiting, head WHERE o.id = waiting.id RETURNING \(unsafeRaw: OutboxRow.columns)
            """)
        let given = try rows.map { try OutboxRow($0, source: outbox.service) }
        try await connection.execute("COMMIT")
        return given.sorted { $0.attributes.position < $1.attributes.position }
    }

    /// The last event that has a position.
    private func newest() async throws -> [OutboxRow] {
        let rows = try await connection.execute(
            """
            SELECT \(unsafeRaw: OutboxRow.columns) FROM \(unsafeRaw: outbox.schema).outbox o \
            WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1
            """)
        return try rows.map { try OutboxRow($0, source: outbox.service) }
    }
}
