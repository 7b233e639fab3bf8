import Identity
import Logging
import NIOCore
import NIOPosix
import Redis
import ServiceKit
import ServiceLifecycle

/// The gateway as a whole: lanes, their connections to Redis, the upstreams' addresses and health, the listening socket.
public struct Gateway: Service {
    private let settings: GatewaySettings
    private let logger: Logger
    private let log: LogWriter?
    private let health: Health
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// How often the names of upstreams are looked up again.
    static let resolveInterval = Duration.seconds(5)

    /// - Parameters:
    ///   - health: is told when the gateway serves and when it drains.
    ///   - log: where requests are logged, if the settings want that.
    ///   - onListening: is told the port.
    public init(
        _ settings: GatewaySettings, health: Health, log: LogWriter = .standardError, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.settings = settings
        self.health = health
        self.log = settings.logsRequests ? log : nil
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until it is told to shut down, then lets what is in flight finish.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        let resolving = NIOThreadPool(numberOfThreads: 1)
        resolving.start()
        let result: Result<Void, any Error>
        do {
            try await serve(group, NameResolver(thread: resolving))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try? await resolving.shutdownGracefully()
        try? await group.shutdownGracefully()
        try result.get()
    }

    private func serve(_ group: MultiThreadedEventLoopGroup, _ resolver: NameResolver) async throws {
        var lanes: [NIOLoopBound<Lane>] = []
        var trackings: [RedisTracking] = []
        for loop in group.makeIterator() {
            let (lane, tracking) = try await makeLane(loop).get()
            lanes.append(lane)
            trackings.append(tracking)
        }
        Lanes.connect(lanes)
        let upstreams = UpstreamDirectory(settings.upstreams, resolver: resolver, lanes: lanes, logger: logger)
        await upstreams.resolve()
        let all = lanes
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for tracking in trackings { tasks.addTask { try await tracking.run() } }
            tasks.addTask { await upstreams.run(every: Self.resolveInterval) }
            let server = try await GatewayServer.listen(
                host: settings.host, port: settings.port, group: group, lanes: all)
            health.startServing()
            await onListening(server.port)
            logger.info("listening", metadata: ["port": "\(server.port)"])
            // Also when the task is cancelled.
            try? await gracefulShutdown()
            health.drain()
            await server.startDraining()
            try? await Task.sleep(for: .nanoseconds(settings.drainDelay.nanoseconds))
            await server.shutDown(within: settings.limits.drain)
            tasks.cancelAll()
            while let result = await tasks.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) {
                    logger.warning("a part ended badly", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private func makeLane(_ loop: any EventLoop) -> EventLoopFuture<(NIOLoopBound<Lane>, RedisTracking)> {
        loop.submit { [settings, logger, log] in
            let lane = Lane(
                eventLoop: loop, limits: settings.limits, seal: IdentitySeal(settings.secret),
                publicScheme: settings.publicScheme,
                maximumClients: max(1, settings.limits.connections / settings.threads), record: RequestRecord(log: log))
            let (check, tracking) = TokenCheck.onRedis(
                lane: lane, configuration: settings.redis, secret: settings.secret, logger: logger)
            lane.tokens = check
            lane.startTicking()
            return (NIOLoopBound(lane, eventLoop: loop), tracking)
        }
    }
}
