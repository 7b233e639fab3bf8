import Metrics

/// What a connection reports, each with the dimension `connection`, the configuration's name.
struct RedisMetrics: Sendable {
    /// Commands given to a client.
    let commands: Counter
    /// Connections made after the first one.
    let reconnects: Counter
    /// 1 while connected, else 0. Give each client a name of its own, or they overwrite one another.
    let up: Gauge
    /// Commands without an answer, by `reason`.
    private let unavailable: Counter
    private let timedOut: Counter
    private let lost: Counter
    private let overloaded: Counter
    private let server: Counter
    private let other: Counter

    init(name: String) {
        let dimensions = [("connection", name)]
        commands = Counter(label: "redis_commands_total", dimensions: dimensions)
        reconnects = Counter(label: "redis_reconnects_total", dimensions: dimensions)
        up = Gauge(label: "redis_up", dimensions: dimensions)
        func failures(_ reason: String) -> Counter {
            Counter(label: "redis_failures_total", dimensions: dimensions + [("reason", reason)])
        }
        unavailable = failures("unavailable")
        timedOut = failures("timed_out")
        lost = failures("connection_lost")
        overloaded = failures("overloaded")
        server = failures("server")
        other = failures("other")
    }

    func failed(_ code: RedisError.Code) {
        switch code {
        case .unavailable: unavailable.increment()
        case .timedOut: timedOut.increment()
        case .connectionLost: lost.increment()
        case .overloaded: overloaded.increment()
        case .server: server.increment()
        case .closed, .protocolViolation, .invalidCommand: other.increment()
        }
    }
}
