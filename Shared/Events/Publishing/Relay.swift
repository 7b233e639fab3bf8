import Logging
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle

/// Publishes what the ``Outbox`` of a service holds. Any number of processes of a service run one; one of them leads.
///
/// The leader holds an advisory lock in a session of its own, and does all that only a leader may in that very session:
/// once it is cut, the process can't go on as leader, whether it has noticed or not. Beside that, positions are given
/// under the row lock of `relay_head`.
///
/// Redis is told after the positions are committed, and only as a doorbell: what it misses is pulled by those who read.
public struct Relay: Service {
    let outbox: Outbox
    let postgres: PostgresClient
    let redis: RedisClient
    let logger: Logger
    let settings: RelaySettings
    /// Runs what the relay does: that of `postgres` for a process with few threads, so that its work wakes no other one;
    /// nil where all tasks run.
    public var executor: (any TaskExecutor)?

    /// - Parameters:
    ///   - outbox: the same that the service's stores write to.
    ///   - redis: where events are published.
    public init(
        _ outbox: Outbox, postgres: PostgresClient, redis: RedisClient, settings: RelaySettings = RelaySettings(),
        logger: Logger
    ) {
        self.outbox = outbox
        self.postgres = postgres
        self.redis = redis
        self.settings = settings
        var logger = logger
        logger[metadataKey: "outbox"] = "\(outbox.service)"
        self.logger = logger
    }

    /// Leads, or waits for its turn, until the process shuts down. What was committed until then is still published,
    /// if this one leads.
    public func run() async throws {
        await withTaskExecutorPreference(executor) { await publish() }
    }

    private func publish() async {
        let halt = Halt()
        let doorbell = outbox.doorbell
        let metrics = RelayMetrics(service: outbox.service)
        await halt.whileRunning {
            doorbell.here.ring()
            doorbell.elsewhere.ring()
        } _: {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await ringElsewhere(until: halt) }
                group.addTask {
                    await Periodic("measuring events", every: settings.measureInterval, logger: logger) {
                        try await measure(metrics)
                    }.run()
                }
                await campaign(metrics, until: halt)
                halt.set()
                doorbell.elsewhere.ring()
            }
        }
    }

    private func campaign(_ metrics: RelayMetrics, until halt: Halt) async {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
        while !halt.isSet {
            let began = ContinuousClock.now
            do {
                try await postgres.withConnection { connection in
                    try await prepare(connection)
                    while !halt.isSet {
                        if try await isElected(connection) {
                            try await RelayTerm(self, connection, metrics).run(until: halt)
                            return
                        }
                        await halt.pause(settings.campaignInterval * .random(in: 0.8...1.2))
                    }
                }
            } catch {
                if Task.isCancelled { return }
                // A session that lasted was a good one, and its end the first of a new outage.
                if .now - began > .seconds(5) { backoff.reset() }
                let level: Logger.Level = backoff.failures == 0 ? .warning : .debug
                logger.log(level: level, "the relay has lost Postgres", metadata: ["error": "\(error)"])
                await halt.pause(backoff.next())
            }
        }
    }

    /// The server ends a session whose owner has gone without a word or stands still, and with it its leadership.
    /// Settings that a server or a kind of socket does not have are left out.
    private func prepare(_ connection: PostgresConnection) async throws {
        try await connection.execute(Self.useOfWaitingIndex(local: false))
        let patience = "\(settings.silence.components.seconds * 1000)"
        try await connection.execute(
            """
            SELECT set_config(name, CASE WHEN name LIKE 'idle%' THEN \(patience) ELSE '1' END, false) FROM pg_settings \
            WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'tcp_keepalives_idle', \
                'tcp_keepalives_interval')
            """)
    }

    /// Has what waits be read in the order of the index `outbox_waiting`.
    ///
    /// Left to itself the planner reads the whole table for as long as it believes that it is small: the plan is made when
    /// a relay begins, and made anew only when autovacuum has counted. Or it fetches so few rows by a bitmap of either
    /// index that has them, and sorts them: that reads every event that has waited since the last VACUUM, since their
    /// entries are dead, and only a plain index scan marks them so, for whoever inserts next to delete (PostgreSQL
    /// documentation, "B-Tree Indexes", "Bottom-Up Index Deletion"). With 30,000 events in the table a look took 10 ms of
    /// Postgres either way, 0.4 by this index.
    ///
    /// - Parameter local: until the end of the transaction, not of the session.
    private static func useOfWaitingIndex(local: Bool) -> SQL {
        """
        SELECT set_config(name, 'off', \(local)) \
        FROM unnest(ARRAY['enable_bitmapscan', 'enable_seqscan', 'enable_sort']) name
        """
    }

    /// How much waits, also when nobody leads or the leader gets nowhere: counted no further than matters.
    private func measure(_ metrics: RelayMetrics) async throws {
        let rows = try await postgres.withTransaction { transaction in
            _ = try await transaction.execute(Self.useOfWaitingIndex(local: true))
            return try await transaction.execute(
                """
                SELECT count(*), min(time) FROM ( \
                    SELECT time FROM \(unsafeRaw: outbox.schema).outbox WHERE position IS NULL \
                    ORDER BY id LIMIT 100000) o
                """)
        }
        guard let row = rows.first else { return }
        let (count, oldest) = try row.decode((Int, Timestamp?).self)
        metrics.waiting(count, oldest: oldest)
    }

    private func isElected(_ connection: PostgresConnection) async throws -> Bool {
        let rows = try await connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended('relay ' || \(outbox.schema), 0))")
        return try rows.first?.decode(Bool.self) ?? false
    }

    /// Where the leader listens for the rings of other processes.
    var channel: String { "techheroes_relay_\(outbox.schema)" }

    /// Rings at the leader's for events that were committed here. NOTIFY and not Redis: it comes as long as there is a
    /// leader at all. Not in the transaction itself, where it would make commits wait for one another.
    private func ringElsewhere(until halt: Halt) async {
        let doorbell = outbox.doorbell
        var interval = settings.ringIntervals.lowerBound
        while true {
            await doorbell.elsewhere.wait()
            if halt.isSet || Task.isCancelled { return }
            // The leader looks by itself in a moment; a ring that fails is no loss.
            _ = try? await postgres.execute("SELECT pg_notify(\(channel), '')")
            // Rings that come meanwhile are one: who rings often needs a pause, since each ring costs the leader a look.
            _ = doorbell.takeCount()
            try? await Task.sleep(for: interval)
            interval = doorbell.takeCount() > 1 ? interval * 2 : interval / 2
            interval = min(max(interval, settings.ringIntervals.lowerBound), settings.ringIntervals.upperBound)
        }
    }
}
