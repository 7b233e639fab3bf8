import Metrics
import NIOCore
import ServiceKit

/// What is told of each finished request of one event loop: metrics, and a line in the access log.
///
/// Never a target as it came, a query, a token or a body: the route is the part of the path that says where it went.
final class RequestRecord {
    private struct Key: Hashable {
        let route: Int
        let method: Int
        let status: Int
    }

    private let log: LogWriter?
    private let durations: [Timer]
    private let connects: [Timer]
    private var counts: [Key: Int64] = [:]
    private var counters: [Key: Counter] = [:]

    /// Services in their order, the gateway's own, and at last what goes nowhere.
    private static let routes =
        ServiceName.allCases.map { "\($0.prefix)" } + ["\(GatewayRoute.eventsPath)", "/health", "none"]
    /// The last is for whatever else a client may have written.
    private static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"]

    /// - Parameter log: where lines go; nil for none.
    init(log: LogWriter?) {
        self.log = log
        durations = Self.routes.map {
            Timer(label: "gateway_request_duration_seconds", dimensions: [("route", $0)])
        }
        connects = ServiceName.allCases.map {
            Timer(label: "gateway_upstream_connect_seconds", dimensions: [("upstream", $0.rawValue)])
        }
    }

    /// A connection to a service was made, or could not be made, in so long.
    func connected(_ service: ServiceName, in duration: TimeAmount) {
        connects[service.index].recordNanoseconds(duration.nanoseconds)
    }

    /// - Parameter aborted: whether the client went before its answer was whole.
    func finished(_ client: ClientConnection, aborted: Bool) {
        // 499, as nginx has it: nobody was there to be told.
        let status = aborted && !client.isOnWire ? 499 : client.status
        let duration = client.lane.readClock() - client.began
        count(client, status, duration)
        write(client, status, duration, aborted: aborted)
    }

    /// The head of a stream is out. How long it will last is no measure of anything.
    func streamBegan(_ client: ClientConnection) {
        count(client, client.status, client.lane.readClock() - client.began)
    }

    func streamEnded(_ client: ClientConnection) {
        write(client, client.status, client.lane.readClock() - client.began, aborted: false)
    }

    private func count(_ client: ClientConnection, _ status: Int, _ duration: TimeAmount) {
        let route = Self.route(client.shape)
        counts[Key(route: route, method: Self.method(client.shape), status: status), default: 0] += 1
        durations[route].recordNanoseconds(duration.nanoseconds)
    }

    private func write(_ client: ClientConnection, _ status: Int, _ duration: TimeAmount, aborted: Bool) {
        guard let log else { return }
        log.line { line in
            line.writeStaticString("{\"time\":\"")
            RFC3339.write(microseconds: WallClock.microseconds, into: &line)
            line.writeStaticString(
                "\",\"level\":\"info\",\"service\":\"gateway\",\"message\":\"request\",\"method\":\"")
            line.writeString(Self.methods[Self.method(client.shape)])
            line.writeStaticString("\",\"route\":\"")
            line.writeString(Self.routes[Self.route(client.shape)])
            line.writeStaticString("\",\"status\":")
            line.writeDecimal(status)
            line.writeStaticString(",\"duration_us\":")
            line.writeDecimal(Int(duration.nanoseconds / 1000))
            line.writeStaticString(",\"bytes\":")
            line.writeDecimal(client.answerBytes)
            if aborted { line.writeStaticString(",\"aborted\":true") }
            if client.attempts > 0 {
                line.writeStaticString(",\"retries\":")
                line.writeDecimal(client.attempts)
            }
            // Both ids are letters, digits and -_. only.
            line.writeStaticString(",\"request_id\":\"")
            line.writeString(client.requestID)
            line.writeStaticString("\",\"trace_id\":\"")
            client.trace.writeTraceID(into: &line)
            line.writeStaticString("\"}")
        }
    }

    private static func route(_ shape: RequestShape?) -> Int {
        switch shape?.route {
        case .service(let service): service.index
        case .events: 3
        case .live, .ready: 4
        case GatewayRoute.none?, nil: 5
        }
    }

    private static func method(_ shape: RequestShape?) -> Int {
        switch shape?.method {
        case .GET: 0
        case .HEAD: 1
        case .POST: 2
        case .PUT: 3
        case .PATCH: 4
        case .DELETE: 5
        case .OPTIONS: 6
        default: 7
        }
    }

    /// Hands the counts on; now and then, for counters are shared by all loops.
    func publish() {
        guard !counts.isEmpty else { return }
        for (key, count) in counts {
            if counters[key] == nil {
                counters[key] = Counter(
                    label: "gateway_requests_total",
                    dimensions: [
                        ("route", Self.routes[key.route]), ("method", Self.methods[key.method]),
                        ("status", String(key.status)),
                    ])
            }
            counters[key]?.increment(by: count)
        }
        counts.removeAll(keepingCapacity: true)
    }
}

extension ClientConnection {
    func finishRecord(aborted: Bool) {
        lane.record.finished(self, aborted: aborted)
    }

    func streamBegan() {
        lane.record.streamBegan(self)
    }

    func streamEnded() {
        lane.record.streamEnded(self)
    }
}
