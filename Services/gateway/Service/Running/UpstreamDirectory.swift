import Logging
import NIOCore

/// Keeps every lane up to date on where the services are and whether they are ready.
struct UpstreamDirectory: Sendable {
    /// All addresses of all origins; those of a name that has none now are missing.
    typealias Resolve = @Sendable ([UpstreamOrigin]) async -> [UpstreamOrigin: [UpstreamAddress]]

    private let origins: [ServiceName: [UpstreamOrigin]]
    private let resolve: Resolve
    private let lanes: [NIOLoopBound<Lane>]
    private let logger: Logger
    private let last = LastAnswers()

    init(
        _ origins: [ServiceName: [UpstreamOrigin]], resolve: @escaping Resolve, lanes: [NIOLoopBound<Lane>],
        logger: Logger
    ) {
        self.origins = origins
        self.resolve = resolve
        self.lanes = lanes
        self.logger = logger
        guard let first = lanes.first else { return }
        // One loop asks for all.
        let home = first.eventLoop
        home.execute {
            let lane = first.value
            let monitor = HealthMonitor(lane: lane, logger: logger) { service, address, standing in
                for bound in lanes {
                    let note: @Sendable () -> Void = { bound.value.pool(service).note(standing, of: address) }
                    if bound.eventLoop === home { note() } else { bound.eventLoop.execute(note) }
                }
            }
            lane.onTick.append { monitor.tick(now: $0) }
            let shared = NIOLoopBound(monitor, eventLoop: home)
            for bound in lanes {
                bound.eventLoop.execute {
                    bound.value.onSuspicion = { service, address in
                        home.execute { shared.value.suspect(service, address) }
                    }
                }
            }
        }
    }

    /// Looks all names up again, now and then, until the task is cancelled.
    func run(every interval: TimeAmount) async {
        // Names change without a word to us. It goes on while the process drains, so it is no `Periodic`.
        while (try? await Task.sleep(for: .nanoseconds(interval.nanoseconds))) != nil {
            await lookUp()
        }
    }

    /// Looks all names up once. Those that can't be found keep the addresses they had.
    func lookUp() async {
        var all: Set<UpstreamOrigin> = []
        for list in origins.values { all.formUnion(list) }
        let found = await resolve(Array(all))
        for (service, list) in origins {
            var addresses: [UpstreamAddress] = []
            for origin in list {
                for address in await last.update(origin, found[origin] ?? [])
                where !addresses.contains(where: { $0.socket == address.socket }) {
                    addresses.append(address)
                }
            }
            if addresses.isEmpty { logger.warning("no address", metadata: ["upstream": "\(service.rawValue)"]) }
            for bound in lanes {
                let addresses = addresses
                try? await bound.eventLoop.submit { bound.value.pool(service).update(addresses) }.get()
            }
        }
    }

    private actor LastAnswers {
        private var known: [UpstreamOrigin: [UpstreamAddress]] = [:]

        func update(_ origin: UpstreamOrigin, _ addresses: [UpstreamAddress]) -> [UpstreamAddress] {
            if !addresses.isEmpty { known[origin] = addresses }
            return known[origin] ?? []
        }
    }
}
