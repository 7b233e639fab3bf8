import Metrics
import NIOCore

/// What one event loop holds, told once a second. Gauges are of this loop (their sum is the process's), counters of all.
final class LaneMetrics {
    private struct Upstream {
        let busy: Gauge
        let idle: Gauge
        let inFlight: Gauge
        let refusals: Counter
        let ejections: Counter
        let retries: Counter
        var told = UpstreamFigures()
    }

    private unowned let lane: Lane
    private let clients: Gauge
    private let listeners: Gauge
    private let tracking: Gauge
    private var upstreams: [Upstream]
    private var next = NIODeadline.uptimeNanoseconds(0)

    /// - Parameter loop: the number of the loop.
    init(lane: Lane, loop: Int) {
        self.lane = lane
        let loop = ("loop", String(loop))
        clients = Gauge(label: "gateway_clients", dimensions: [loop])
        listeners = Gauge(label: "gateway_live_listeners", dimensions: [loop])
        tracking = Gauge(label: "gateway_redis_tracking_up", dimensions: [loop])
        upstreams = ServiceName.allCases.map { service in
            let upstream = ("upstream", service.rawValue)
            return Upstream(
                busy: Gauge(
                    label: "gateway_upstream_connections", dimensions: [upstream, ("state", "busy"), loop]),
                idle: Gauge(
                    label: "gateway_upstream_connections", dimensions: [upstream, ("state", "idle"), loop]),
                inFlight: Gauge(label: "gateway_upstream_requests_in_flight", dimensions: [upstream, loop]),
                refusals: Counter(label: "gateway_upstream_connect_failures_total", dimensions: [upstream]),
                ejections: Counter(label: "gateway_upstream_ejections_total", dimensions: [upstream]),
                retries: Counter(label: "gateway_retries_total", dimensions: [upstream]))
        }
    }

    func tick(now: NIODeadline) {
        guard now >= next else { return }
        next = now + .seconds(1)
        clients.record(lane.clients.count)
        listeners.record(lane.live?.count ?? 0)
        tracking.record(lane.tokens?.isTrusted == true ? 1 : 0)
        for (index, pool) in lane.pools.enumerated() {
            let figures = pool.figures
            let idle = pool.endpoints.reduce(0) { $0 + $1.idle.count }
            upstreams[index].idle.record(idle)
            upstreams[index].busy.record(max(0, figures.connections - idle))
            upstreams[index].inFlight.record(pool.endpoints.reduce(0) { $0 + $1.inFlight })
            upstreams[index].refusals.increment(by: figures.refusals - upstreams[index].told.refusals)
            upstreams[index].ejections.increment(by: figures.ejections - upstreams[index].told.ejections)
            upstreams[index].retries.increment(by: figures.retries - upstreams[index].told.retries)
            upstreams[index].told = figures
        }
    }
}
