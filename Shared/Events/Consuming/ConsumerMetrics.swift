import Metrics
import Postgres

/// What a consumer reports, each with the dimensions `service`, who reads, and `source`, whose events they are.
struct ConsumerMetrics: Sendable {
    private let position: Gauge
    private let lagEvents: Gauge
    private let lagSeconds: Gauge
    private let applied: Counter
    private let gaps: Counter
    private let retries: Counter
    private let parked: Counter
    private let rebuilds: Counter
    private let lost: Counter

    init(service: String, source: String) {
        let dimensions = [("service", service), ("source", source)]
        position = Gauge(label: "events_consumer_position", dimensions: dimensions)
        lagEvents = Gauge(label: "events_consumer_lag_events", dimensions: dimensions)
        lagSeconds = Gauge(label: "events_consumer_lag_seconds", dimensions: dimensions)
        applied = Counter(label: "events_applied_total", dimensions: dimensions)
        gaps = Counter(label: "events_gaps_healed_total", dimensions: dimensions)
        retries = Counter(label: "events_retries_total", dimensions: dimensions)
        parked = Counter(label: "events_parked_total", dimensions: dimensions)
        rebuilds = Counter(label: "events_rebuilds_total", dimensions: dimensions)
        lost = Counter(label: "events_lost_total", dimensions: dimensions)
    }

    /// - Parameters:
    ///   - cursor: what has taken effect.
    ///   - head: the last position that is known to exist.
    ///   - time: of an event there, the first that has not taken effect or the last that has; nil leaves the age as it is.
    func reached(_ cursor: Int64, of head: Int64, time: Timestamp?) {
        position.record(cursor)
        lagEvents.record(max(0, head - cursor))
        if head <= cursor {
            lagSeconds.record(0)
        } else if let time {
            lagSeconds.record(max(0, Timestamp.now().since(time) / .seconds(1)))
        }
    }

    /// Events that took effect in this process.
    func applied(_ count: Int) {
        if count > 0 { applied.increment(by: count) }
    }

    /// A hole among the messages was filled from the ledger.
    func healedGap() { gaps.increment() }
    /// Something is tried again: an event, or to reach the owner or Postgres.
    func retries(_ count: Int = 1) { retries.increment(by: count) }
    func parkedOne() { parked.increment() }
    func rebuilt() { rebuilds.increment() }
    /// Events that were pruned before they were read by a consumer without a snapshot.
    func lost(_ count: Int64) { lost.increment(by: count) }
}
