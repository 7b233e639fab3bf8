import Metrics
import Postgres

/// What a relay reports, each with the dimension `service`.
struct RelayMetrics: Sendable {
    private let leader: Gauge
    private let waiting: Gauge
    private let lag: Gauge
    private let position: Gauge
    private let published: Counter
    private let failures: Counter
    private let pruned: Counter

    init(service: String) {
        let dimensions = [("service", service)]
        leader = Gauge(label: "events_relay_leader", dimensions: dimensions)
        waiting = Gauge(label: "events_relay_waiting", dimensions: dimensions)
        lag = Gauge(label: "events_relay_lag_seconds", dimensions: dimensions)
        position = Gauge(label: "events_relay_position", dimensions: dimensions)
        published = Counter(label: "events_published_total", dimensions: dimensions)
        failures = Counter(label: "events_publish_failures_total", dimensions: dimensions)
        pruned = Counter(label: "events_pruned_total", dimensions: dimensions)
    }

    /// 1 in the process that leads.
    func leads(_ isLeader: Bool) {
        leader.record(isLeader ? 1 : 0)
    }

    /// Events that have no position yet, and since when the first of them waits. Each replica tells it, whoever leads.
    func waiting(_ count: Int, oldest: Timestamp?) {
        lag.record(oldest.map { max(0, Timestamp.now().since($0) / .seconds(1)) } ?? 0)
        waiting.record(count)
    }

    func gave(_ count: Int, through last: Int64) {
        position.record(last)
    }

    /// Messages that Redis took; nobody need have heard them.
    func published(_ count: Int) {
        published.increment(by: count)
    }

    /// Messages that Redis did not take.
    func failedToPublish(_ count: Int) {
        failures.increment(by: count)
    }

    func pruned(_ count: Int) {
        if count > 0 { pruned.increment(by: count) }
    }
}
