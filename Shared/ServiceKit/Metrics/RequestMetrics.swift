import Metrics
import Synchronization

/// Counts and times the requests of each route. The handlers are made once; a request costs two atomic additions.
final class RequestMetrics: Sendable {
    private struct PerRoute: Sendable {
        let duration: Timer
        let method: String
        let path: String
    }

    private struct Key: Hashable {
        let route: Int
        let status: Int
    }

    /// The last one is for requests that no route matched.
    private let routes: [PerRoute]
    private let counters = Mutex<[Key: Counter]>([:])

    private let factory: any MetricsFactory

    init(routes: [Route], factory: any MetricsFactory) {
        self.factory = factory
        let names = routes.map { ($0.method.rawValue, $0.path) } + [("none", "none")]
        self.routes = names.map { method, path in
            PerRoute(
                duration: Timer(
                    label: "http_server_request_duration_seconds", dimensions: [("method", method), ("route", path)],
                    factory: factory),
                method: method, path: path)
        }
    }

    func record(route: Int?, status: Int, duration: Duration) {
        let index = route ?? routes.count - 1
        routes[index].duration.recordNanoseconds(duration.nanoseconds)
        let key = Key(route: index, status: status)
        let counter = counters.withLock { counters -> Counter in
            if let counter = counters[key] { return counter }
            let counter = Counter(
                label: "http_server_requests_total",
                dimensions: [
                    ("method", routes[index].method), ("route", routes[index].path), ("status", String(status)),
                ], factory: factory)
            counters[key] = counter
            return counter
        }
        counter.increment()
    }
}
