import Logging
import Metrics
import NIOCore

/// Asks every upstream address again and again whether it is ready, on one event loop for all of them.
final class HealthMonitor {
    private let lane: Lane
    private let logger: Logger
    /// Tells every loop.
    private let publish: (ServiceName, SocketAddress, EndpointHealth.Standing) -> Void
    private var states: [Key: State] = [:]
    private var next = NIODeadline.uptimeNanoseconds(0)

    private struct Key: Hashable {
        let service: ServiceName
        let address: SocketAddress
    }

    private struct State {
        var standing = EndpointHealth.Standing.unknown
        var isAsking = false
        var lastAsked = NIODeadline.uptimeNanoseconds(0)
        var silences = 0
        let gauge: Gauge
    }

    /// An address that somebody suspects is not asked more often than this.
    private static let suspicionInterval = TimeAmount.milliseconds(100)

    init(
        lane: Lane, logger: Logger, publish: @escaping (ServiceName, SocketAddress, EndpointHealth.Standing) -> Void
    ) {
        self.lane = lane
        self.logger = logger
        self.publish = publish
    }

    /// Asks all addresses if it is time to, and those that are new at once.
    func tick(now: NIODeadline) {
        let isDue = now >= next
        if isDue { next = now + lane.limits.checkInterval }
        var count = 0
        for service in ServiceName.allCases {
            for endpoint in lane.pool(service).endpoints {
                count += 1
                if isDue || states[Key(service: service, address: endpoint.address)] == nil { ask(service, endpoint) }
            }
        }
        if count < states.count { forgetRemoved() }
    }

    /// Somebody met an address that behaved as if it were going, or gone: find out now.
    func suspect(_ service: ServiceName, _ address: SocketAddress) {
        guard let state = states[Key(service: service, address: address)],
            lane.now - state.lastAsked >= Self.suspicionInterval,
            let endpoint = lane.pool(service).endpoints.first(where: { $0.address == address })
        else { return }
        ask(service, endpoint)
    }

    private func ask(_ service: ServiceName, _ endpoint: UpstreamEndpoint) {
        let key = Key(service: service, address: endpoint.address)
        var state = states[key] ?? State(gauge: Self.gauge(key))
        guard !state.isAsking else { return }
        state.isAsking = true
        state.lastAsked = lane.now
        states[key] = state
        UpstreamFetch.get(
            "/health/ready", from: lane.pool(service), endpoint: endpoint, timeout: lane.limits.checkTimeout
        ) { [self] result in
            note(key, endpoint.authority, result)
        }
    }

    private static func gauge(_ key: Key) -> Gauge {
        let address = "\(key.address.ipAddress ?? "?"):\(key.address.port ?? 0)"
        return Gauge(
            label: "gateway_upstream_healthy", dimensions: [("upstream", key.service.rawValue), ("address", address)])
    }

    /// An address that is gone must not be told of for ever.
    private func forgetRemoved() {
        var present: Set<Key> = []
        for service in ServiceName.allCases {
            for endpoint in lane.pool(service).endpoints {
                present.insert(Key(service: service, address: endpoint.address))
            }
        }
        for (key, state) in states where !present.contains(key) {
            state.gauge.destroy()
            states[key] = nil
        }
    }

    /// One refusal or one "not ready" is enough; only a silence is given a second chance.
    private func note(_ key: Key, _ authority: String, _ result: Result<UpstreamFetch.Answer, UpstreamFault>) {
        guard var state = states[key] else { return }
        state.isAsking = false
        let standing: EndpointHealth.Standing
        switch result {
        case .success(let answer):
            standing = Self.standing(answer)
            state.silences = 0
        case .failure(.timedOut):
            state.silences += 1
            standing = state.silences < 2 && state.standing == .ready ? .ready : .away
        case .failure:
            standing = .away
            state.silences = 0
        }
        if state.standing != standing {
            logger.log(
                level: standing == .ready ? .info : .warning,
                standing == .ready ? "upstream is ready" : "upstream is not ready",
                metadata: [
                    "upstream": "\(key.service.rawValue)", "at": "\(authority)", "standing": "\(standing)",
                ])
            state.standing = standing
        }
        state.gauge.record(standing == .ready ? 1 : 0)
        states[key] = state
        // Each time, for each loop has its own mind too, and lets an address back in that it had thrown out.
        publish(key.service, key.address, standing)
    }

    /// Our services say what they wait for: `{"status": "unavailable", "waiting_for": ["draining"]}`.
    private static func standing(_ answer: UpstreamFetch.Answer) -> EndpointHealth.Standing {
        if answer.status == 200 { return .ready }
        return String(buffer: answer.body).contains("\"draining\"") ? .leaving : .unwell
    }
}
