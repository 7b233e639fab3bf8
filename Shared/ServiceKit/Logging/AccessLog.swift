import NIOCore

/// One line for each request: method, route, status, duration and the ids to find it by. Never a target as it came, a
/// query, a token or a body, since those may hold what is nobody else's.
public struct AccessLog: Sendable {
    private let writer: LogWriter?
    private let service: String

    /// - Parameters:
    ///   - writer: where the lines go; nil for none.
    ///   - service: the name of the process.
    public init(writer: LogWriter?, service: String) {
        self.writer = writer
        self.service = service
    }

    /// - Parameters:
    ///   - route: the pattern of the route; nil when no route matched.
    ///   - duration: from the head of the request to the head of the answer.
    public func write(
        method: String, route: String?, status: Int, duration: Duration, requestID: String, trace: TraceContext
    ) {
        guard let writer else { return }
        let time = WallClock.microseconds
        writer.line { line in
            JSONLogHandler.start(&line, time: time, level: "info", service: service)
            line.writeStaticString(",\"message\":\"request\",\"method\":")
            JSONText.write(method, into: &line)
            line.writeStaticString(",\"route\":")
            if let route { JSONText.write(route, into: &line) } else { line.writeStaticString("null") }
            line.writeStaticString(",\"status\":")
            line.writeString(String(status))
            line.writeStaticString(",\"duration_us\":")
            line.writeString(String(duration.microseconds))
            line.writeStaticString(",\"request_id\":")
            JSONText.write(requestID, into: &line)
            line.writeStaticString(",\"trace_id\":\"")
            line.writeString(trace.traceID)
            line.writeStaticString("\"}")
        }
    }
}

extension Duration {
    /// Whole microseconds.
    var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
    /// Whole nanoseconds.
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
