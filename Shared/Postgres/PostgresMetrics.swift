import Metrics

/// What one client reports through swift-metrics. Made once: looking a metric up by its label is not free.
struct PostgresMetrics {
    private let connections: Gauge
    private let waiting: Gauge
    private let wait: Timer
    private let duration: Timer
    private var lastConnections = -1
    private var lastWaiting = -1

    init(_ application: String) {
        let dimensions = [("application", application)]
        connections = Gauge(label: "postgres_pool_connections", dimensions: dimensions)
        waiting = Gauge(label: "postgres_pool_waiting", dimensions: dimensions)
        wait = Timer(label: "postgres_pool_wait_seconds", dimensions: dimensions, preferredDisplayUnit: .seconds)
        duration = Timer(
            label: "postgres_query_duration_seconds", dimensions: dimensions, preferredDisplayUnit: .seconds)
    }

    mutating func pool(connections count: Int, waiting queue: Int) {
        if count != lastConnections { connections.record(count) }
        if queue != lastWaiting { waiting.record(queue) }
        (lastConnections, lastWaiting) = (count, queue)
    }

    func answered(_ request: Request, at now: UInt64) {
        guard request.sent > 0 else { return }
        wait.recordNanoseconds(Int64(clamping: request.sent &- request.arrival))
        duration.recordNanoseconds(Int64(clamping: now &- request.sent))
    }
}
