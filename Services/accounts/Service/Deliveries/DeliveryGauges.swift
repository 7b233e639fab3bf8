import AccountsDomain
import Logging
import Metrics
import Postgres
import ServiceKit
import ServiceLifecycle

/// Reports how many messages wait and how many were given up, by channel, and for how long the first has been due.
///
/// Every process reports all of them: over replicas the highest counts, not the sum.
struct DeliveryGauges: Service {
    private let postgres: PostgresClient
    private let logger: Logger
    private let now: @Sendable () -> Instant
    private let interval: Duration
    private let channels: [Channel]

    /// The gauges of one channel.
    private struct Channel: Sendable {
        let channel: MessageChannel
        let waiting: Gauge
        let parked: Gauge
        let due: Gauge

        init(_ channel: MessageChannel, _ factory: any MetricsFactory) {
            func count(_ state: String) -> Gauge {
                Gauge(
                    label: "deliveries_by_state", dimensions: [("channel", channel.rawValue), ("state", state)],
                    factory: factory)
            }
            self.channel = channel
            waiting = count("waiting")
            parked = count("parked")
            due = Gauge(
                label: "deliveries_due_seconds", dimensions: [("channel", channel.rawValue)], factory: factory)
        }
    }

    init(
        postgres: PostgresClient, factory: any MetricsFactory, interval: Duration, logger: Logger,
        now: @escaping @Sendable () -> Instant
    ) {
        self.postgres = postgres
        self.interval = interval
        self.logger = logger
        self.now = now
        channels = MessageChannel.allCases.map { Channel($0, factory) }
    }

    func run() async {
        await Periodic("counting deliveries", every: interval, logger: logger) { try await measure() }.run()
    }

    /// What was sent is only counted as it leaves (`deliveries_total`): its rows are many and have no index by state. Those
    /// of the two states here have one of their own.
    static let counts: SQL = """
        SELECT channel, state, count(*), min(next_attempt) FROM accounts.deliveries WHERE state = 'waiting'
        GROUP BY channel, state
        UNION ALL
        SELECT channel, state, count(*), NULL::timestamptz FROM accounts.deliveries WHERE state = 'parked'
        GROUP BY channel, state
        """

    private func measure() async throws {
        let counted = try await postgres.read(Self.counts).decode((String, String, Int64, Instant?).self)
        let now = now()
        for gauges in channels {
            let ours = counted.filter { $0.0 == gauges.channel.rawValue }
            let waiting = ours.first { $0.1 == "waiting" }
            gauges.waiting.record(waiting?.2 ?? 0)
            gauges.parked.record(ours.first { $0.1 == "parked" }?.2 ?? 0)
            gauges.due.record(waiting?.3.map { max(0, now.since($0) / .seconds(1)) } ?? 0)
        }
    }
}
