import Logging
import NIOCore

/// Keeps every lane up to date on where the services are and whether they are ready.
struct UpstreamDirectory: Sendable {
    private let origins: [ServiceName: [UpstreamOrigin]]
    private let resolver: NameResolver
    private let lanes: [NIOLoopBound<Lane>]
    private let logger: Logger
    private let last = LastAnswers()

    /// How often each address is asked whether it is ready.
    static let checkInterval = TimeAmount.seconds(1)

    init(
        _ origins: [ServiceName: [UpstreamOrigin]], resolver: NameResolver, lanes: [NIOLoopBound<Lane>], logger: Logger
    ) {
        self.origins = origins
        self.resolver = resolver
        self.lanes = lanes
        self.logger = logger
        guard let first = lanes.first else { return }
        // One loop asks for all.
        first.eventLoop.execute {
            let lane = first.value
            let monitor = HealthMonitor(lane: lane, logger: logger) { service, address, isReady in
                for bound in lanes {
                    let note: @Sendable () -> Void = { bound.value.pool(service).setReady(address, isReady) }
                    if bound.eventLoop === first.eventLoop { note() } else { bound.eventLoop.execute(note) }
                }
            }
            var next = NIODeadline.uptimeNanoseconds(0)
            lane.onTick = {
                guard lane.now >= next else { return }
                next = lane.now + Self.checkInterval
                monitor.check()
            }
        }
    }

    /// Looks all names up again, now and then, until the task is cancelled.
    func run(every interval: Duration) async {
        while (try? await Task.sleep(for: interval)) != nil {
            await resolve()
        }
    }

    /// Looks all names up once. Those that can't be found keep the addresses they had.
    func resolve() async {
        var all: Set<UpstreamOrigin> = []
        for list in origins.values { all.formUnion(list) }
        let found = await resolver.resolve(Array(all))
        for (service, list) in origins {
            var addresses: [UpstreamAddress] = []
            for origin in list {
                for address in await last.update(origin, found[origin] ?? []) where !addresses.contains(address) {
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
