import Identity
import Logging
import NIOCore
import NIOPosix
import Redis
import ServiceKit
import ServiceLifecycle

/// The gateway as a whole: lanes, their connections to Redis, the upstreams' addresses and health, the stream of
/// events, the listening socket.
public struct Gateway: Service {
    private let settings: GatewaySettings
    private let logger: Logger
    private let log: LogWriter?
    private let health: Health
    private let resolve: UpstreamDirectory.Resolve?
    private let onListening: @Sendable (_ port: Int) async -> Void
    /// Counts the streams of events.
    let seats: LiveSeats

    /// - Parameters:
    ///   - health: is told when the gateway serves and when it drains.
    ///   - log: where requests are logged, if the settings want that.
    ///   - onListening: is told the port.
    public init(
        _ settings: GatewaySettings, health: Health, log: LogWriter = .standardError, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.init(settings, health: health, log: log, logger: logger, resolve: nil, onListening: onListening)
    }

    /// - Parameter resolve: finds the addresses of names; nil asks the system.
    init(
        _ settings: GatewaySettings, health: Health, log: LogWriter, logger: Logger,
        resolve: UpstreamDirectory.Resolve?, onListening: @escaping @Sendable (_ port: Int) async -> Void
    ) {
        self.settings = settings
        self.health = health
        self.log = settings.logsRequests ? log : nil
        self.logger = logger
        self.resolve = resolve
        self.onListening = onListening
        seats = LiveSeats(maximum: settings.limits.live.listeners, ofUser: settings.limits.live.listenersPerUser)
    }

    /// Serves until it is told to shut down, then lets what is in flight finish.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        let resolving = NIOThreadPool(numberOfThreads: ServiceName.allCases.count)
        resolving.start()
        let result: Result<Void, any Error>
        do {
            let resolver = NameResolver(threads: resolving)
            try await serve(group, resolve ?? { await resolver.resolve($0) })
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try? await resolving.shutdownGracefully()
        try? await group.shutdownGracefully()
        try result.get()
    }

    private func serve(
        _ group: MultiThreadedEventLoopGroup, _ resolve: @escaping UpstreamDirectory.Resolve
    ) async throws {
        var lanes: [NIOLoopBound<Lane>] = []
        var links: [any Service] = []
        for (number, loop) in group.makeIterator().enumerated() {
            let (lane, tracking) = try await makeLane(loop, number: number).get()
            lanes.append(lane)
            links.append(tracking)
        }
        Lanes.connect(lanes)
        if let subscriber = try await subscribe(lanes) { links.append(subscriber) }
        let upstreams = UpstreamDirectory(settings.upstreams, resolve: resolve, lanes: lanes, logger: logger)
        await upstreams.lookUp()
        // Not children of this task: what is in flight while the process drains still asks Redis whose a token is, so
        // they end when all is done and not when the group is told to shut down.
        let logger = logger
        let background = links.map { link in Task.detached { await Self.keep(link, logger) } }
        let looking = Task.detached { [settings] in await upstreams.run(every: settings.limits.resolveInterval) }
        let result: Result<Void, any Error>
        do {
            try await listen(group, lanes)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for task in background + [looking] { task.cancel() }
        for task in background + [looking] { await task.value }
        try result.get()
    }

    private func listen(_ group: MultiThreadedEventLoopGroup, _ lanes: [NIOLoopBound<Lane>]) async throws {
        let server = try await GatewayServer.listen(
            host: settings.host, port: settings.port, group: group, lanes: lanes)
        health.startServing()
        await onListening(server.port)
        logger.info("listening", metadata: ["port": "\(server.port)"])
        // Also when the task is cancelled.
        try? await gracefulShutdown()
        health.drain()
        await server.startDraining()
        // Until whoever balances over the gateways has heard of it.
        try? await Task.sleep(for: .nanoseconds(settings.drainDelay.nanoseconds))
        await server.shutDown(within: settings.limits.drain)
    }

    /// A connection to Redis, which comes back by itself whatever happens to it.
    private static func keep(_ link: any Service, _ logger: Logger) async {
        do {
            try await link.run()
        } catch  where !(error is CancellationError) {
            logger.error("a connection to Redis can't be kept", metadata: ["error": "\(error)"])
        } catch {
            // The end.
        }
    }

    private func makeLane(
        _ loop: any EventLoop, number: Int
    ) -> EventLoopFuture<(NIOLoopBound<Lane>, RedisTracking)> {
        loop.submit { [settings, logger, log, seats] in
            let lane = Lane(
                eventLoop: loop, limits: settings.limits, seal: IdentitySeal(settings.secret),
                publicScheme: settings.publicScheme,
                maximumClients: max(1, settings.limits.connections / settings.threads), record: RequestRecord(log: log))
            let (check, tracking) = TokenCheck.onRedis(
                lane: lane, configuration: settings.redis.named("gateway-\(number)"), secret: settings.secret,
                logger: logger)
            lane.tokens = check
            let live = LiveDispatcher(lane: lane, seats: seats)
            lane.live = live
            check.onChange = { [unowned live] in live.tokenChanged($0) }
            let metrics = LaneMetrics(lane: lane, loop: number)
            lane.onTick.append { metrics.tick(now: $0) }
            lane.startTicking()
            return (NIOLoopBound(lane, eventLoop: loop), tracking)
        }
    }

    /// One loop hears of events for all.
    private func subscribe(_ lanes: [NIOLoopBound<Lane>]) async throws -> RedisSubscriber? {
        guard let first = lanes.first else { return nil }
        let home = first.eventLoop
        return try await home.submit { [settings, logger] in
            let lane = first.value
            let subscription = LiveSubscription(lane: lane, logger: logger) { news in
                for bound in lanes {
                    let take: @Sendable () -> Void = { bound.value.live?.take(news) }
                    if bound.eventLoop === home { take() } else { bound.eventLoop.execute(take) }
                }
            }
            lane.onTick.append { subscription.tick(now: $0) }
            return subscription.subscriber(settings.redis)
        }.get()
    }
}
