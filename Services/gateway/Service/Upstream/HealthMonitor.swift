import Logging
import NIOCore

/// Asks every upstream address each second whether it is ready, on one event loop for all of them.
final class HealthMonitor {
    private let lane: Lane
    private let logger: Logger
    /// Tells every loop.
    private let publish: (ServiceName, SocketAddress, _ isReady: Bool) -> Void
    private var states: [Key: State] = [:]

    private struct Key: Hashable {
        let service: ServiceName
        let address: SocketAddress
    }

    private struct State {
        var isReady: Bool?
        var isAsking = false
        var silences = 0
    }

    /// So long may an address take to answer.
    static let timeout = TimeAmount.seconds(1)

    init(lane: Lane, logger: Logger, publish: @escaping (ServiceName, SocketAddress, Bool) -> Void) {
        self.lane = lane
        self.logger = logger
        self.publish = publish
    }

    /// Asks all addresses once.
    func check() {
        var present: Set<Key> = []
        for service in ServiceName.allCases {
            let pool = lane.pool(service)
            for endpoint in pool.endpoints {
                let key = Key(service: service, address: endpoint.address)
                present.insert(key)
                guard states[key]?.isAsking != true else { continue }
                states[key, default: State()].isAsking = true
                UpstreamFetch.get(
                    "/health/ready", from: pool, endpoint: endpoint, timeout: Self.timeout
                ) { [self] result in
                    note(key, endpoint.authority, result)
                }
            }
        }
        states = states.filter { present.contains($0.key) }
    }

    /// One refusal or one "not ready" is enough; only a silence is given a second chance.
    private func note(_ key: Key, _ authority: String, _ result: Result<UpstreamFetch.Answer, UpstreamFault>) {
        guard var state = states[key] else { return }
        state.isAsking = false
        let isReady: Bool
        switch result {
        case .success(let answer):
            isReady = answer.status == 200
            state.silences = 0
        case .failure(.timedOut):
            state.silences += 1
            isReady = state.silences < 2 && (state.isReady ?? false)
        case .failure:
            isReady = false
            state.silences = 0
        }
        if state.isReady != isReady {
            logger.log(
                level: isReady ? .info : .warning, isReady ? "upstream is ready" : "upstream is not ready",
                metadata: ["upstream": "\(key.service.rawValue)", "at": "\(authority)"])
            state.isReady = isReady
        }
        states[key] = state
        // Each time, for each loop has its own mind too, and lets an address back in that it had thrown out.
        publish(key.service, key.address, isReady)
    }
}
