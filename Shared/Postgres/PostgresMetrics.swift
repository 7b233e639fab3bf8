import Metrics

/// What one client reports through swift-metrics. Made once: looking a metric up by its label is not free.
struct PostgresMetrics {
    private let connections: Gauge
    private let busy: Gauge
    private let waiting: Gauge
    private let wait: Timer
    private let duration: Timer
    private var lastConnections = -1
    private var lastBusy = -1
    private var lastWaiting = -1

    init(_ application: String, _ factory: any MetricsFactory) {
        let dimensions = [("application", application)]
        func gauge(_ label: String) -> Gauge { Gauge(label: label, dimensions: dimensions, factory: factory) }
        func timer(_ label: String) -> Timer {
            Timer(label: label, dimensions: dimensions, preferredDisplayUnit: .seconds, factory: factory)
        }
        connections = gauge("postgres_pool_connections")
        busy = gauge("postgres_pool_busy")
        waiting = gauge("postgres_pool_waiting")
        wait = timer("postgres_pool_wait_seconds")
        duration = timer("postgres_query_duration_seconds")
    }

    /// - Parameter used: those of the connections that somebody has, or that owe an answer.
    mutating func pool(connections count: Int, busy used: Int, waiting queue: Int) {
        if count != lastConnections { connections.record(count) }
        if used != lastBusy { busy.record(used) }
        if queue != lastWaiting { waiting.record(queue) }
        (lastConnections, lastBusy, lastWaiting) = (count, used, queue)
    }

    func answered(_ request: Request, at now: UInt64) {
        guard request.sent > 0 else { return }
        wait.recordNanoseconds(Int64(clamping: request.sent &- request.arrival))
        duration.recordNanoseconds(Int64(clamping: now &- request.sent))
    }
}
