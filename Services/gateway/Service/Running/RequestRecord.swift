import Metrics
import NIOCore
import ServiceKit

/// What is told of each finished request of one event loop: metrics, and a line in the access log.
final class RequestRecord {
    private struct Key: Hashable {
        let prefix: Int
        let status: Int
    }

    private let log: LogWriter?
    private let durations: [Timer]
    private var counts: [Key: Int64] = [:]
    private var counters: [Key: Counter] = [:]

    /// The last is for what goes to no service.
    private static let prefixes = ServiceName.allCases.map { "\($0.prefix)" } + ["other"]

    /// - Parameter log: where lines go; nil for none.
    init(log: LogWriter?) {
        self.log = log
        durations = Self.prefixes.map {
            Timer(label: "gateway_request_duration_seconds", dimensions: [("route", $0)])
        }
    }

    /// - Parameter aborted: whether the client went before its answer was whole.
    func finished(_ client: ClientConnection, aborted: Bool) {
        let prefix: Int
        switch client.shape?.route {
        case .service(.accounts): prefix = 0
        case .service(.heroes): prefix = 1
        case .service(.calls): prefix = 2
        default: prefix = 3
        }
        // 499, as nginx has it: nobody was there to be told.
        let status = aborted && !client.isOnWire ? 499 : client.status
        let duration = client.lane.readClock() - client.began
        counts[Key(prefix: prefix, status: status), default: 0] += 1
        durations[prefix].recordNanoseconds(duration.nanoseconds)
        guard let log else { return }
        log.line { line in
            line.writeStaticString("{\"time\":\"")
            RFC3339.write(microseconds: WallClock.microseconds, into: &line)
            line.writeStaticString(
                "\",\"level\":\"info\",\"service\":\"gateway\",\"message\":\"request\",\"method\":\"")
            line.writeString(client.shape?.method.rawValue ?? "-")
            line.writeStaticString("\",\"route\":\"")
            line.writeString(Self.prefixes[prefix])
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

    /// Hands the counts on; now and then, for counters are shared by all loops.
    func publish() {
        guard !counts.isEmpty else { return }
        for (key, count) in counts {
            if counters[key] == nil {
                counters[key] = Counter(
                    label: "gateway_requests_total",
                    dimensions: [("route", Self.prefixes[key.prefix]), ("status", String(key.status))])
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
}
