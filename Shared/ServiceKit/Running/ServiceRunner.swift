import HummingbirdCore
import Identity
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Runs a service: its routes over HTTP, its metrics, and whatever else it needs, from start to an orderly end.
public struct ServiceRunner: Sendable {
    /// Where a process listens and how it ends.
    public struct Configuration: Sendable {
        /// The name of the process, as logs have it.
        public var name: String
        /// The address to listen on.
        public var host = "0.0.0.0"
        /// The port of the routes and of `/health`.
        public var port: Int
        /// The port of `/metrics`.
        public var metricsPort: Int
        /// How long a process that was told to end says so, with 503 on `/health/ready`, before it stops accepting.
        /// Balancers must notice within this time.
        public var drainDelay: Duration = .seconds(2)
        /// How long what is in flight may take after that.
        public var shutdownLimit: Duration = .seconds(30)
        /// How long a connection may be idle. Longer than any client of ours keeps one, so that it is never we who
        /// close a connection on which a request has just left.
        public var idleTimeout: Duration = .seconds(90)

        /// - Parameters:
        ///   - name: the name of the process.
        ///   - port: 0 takes a free one.
        ///   - metricsPort: 0 takes a free one.
        public init(name: String, port: Int, metricsPort: Int) {
            self.name = name
            self.port = port
            self.metricsPort = metricsPort
        }
    }

    /// What runs beside the server, in the order of its start; it ends in the opposite order, after the server.
    public var services: [any Service]
    /// Runs the handlers: that of the client of Postgres that they ask, so that their statements leave in common batches
    /// and no other thread is woken for them. While one computes, the others wait. nil runs them on the threads that all
    /// tasks share.
    public var executor: (any TaskExecutor)?

    private let configuration: Configuration
    private let table: RouteTable
    private let seal: IdentitySeal
    private let health: Health
    private let registry: PrometheusRegistry
    private let log: LogWriter
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// - Parameters:
    ///   - seal: checks who callers are said to be.
    ///   - checks: what must be well for the process to be ready.
    ///   - services: what runs beside the server: clients of Postgres and Redis, relays, workers.
    ///   - registry: where the metrics are kept.
    ///   - onListening: is told the port once the server listens.
    public init(
        _ configuration: Configuration, table: RouteTable, seal: IdentitySeal, checks: [Health.Check] = [],
        services: [any Service] = [], registry: PrometheusRegistry, log: LogWriter = .standardError, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.table = table
        self.seal = seal
        self.health = Health(checks: checks)
        self.services = services
        self.registry = registry
        self.log = log
        self.logger = logger
        self.onListening = onListening
    }

    /// Everything as one group, for `run` and for tests that end it themselves.
    ///
    /// - Parameter signals: the signals that begin the end.
    public func group(endingOn signals: [UnixSignal]) -> ServiceGroup {
        let server = HTTPServerChannel(
            responder: ServiceResponder(
                table: table, seal: seal, health: health, log: log, logger: logger, metrics: registry),
            executor: executor, idleTimeout: configuration.idleTimeout
        ).server(
            configuration: .init(address: .hostname(configuration.host, port: configuration.port), backlog: 1024),
            onServerRunning: { [health, onListening] channel in
                health.startServing()
                await onListening(channel.localAddress?.port ?? 0)
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        let metrics = MetricsServer(
            host: configuration.host, port: configuration.metricsPort, registry: registry, health: health,
            logger: logger)
        let drain = Drain(health: health, delay: configuration.drainDelay)
        // The last is told first: draining, then the server, then what it needs, and metrics to the end.
        var group = ServiceGroupConfiguration(
            services: ([metrics] + services + [server, drain]).map { .init(service: $0) },
            gracefulShutdownSignals: signals, logger: logger)
        group.maximumGracefulShutdownDuration = configuration.drainDelay + configuration.shutdownLimit
        return ServiceGroup(configuration: group)
    }

    /// Runs until SIGTERM or SIGINT, and then until what was in flight is done.
    ///
    /// - Throws: what made a part of it fail.
    public func run() async throws {
        defer { log.flush() }
        // A reader of our log or a peer that went away is an error to handle and not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        ProcessMetrics.install(in: registry)
        try await group(endingOn: [.sigterm, .sigint]).run()
    }
}

/// Says that the process is going away, for long enough that whoever balances over it has heard.
struct Drain: Service {
    let health: Health
    let delay: Duration

    func run() async throws {
        try? await gracefulShutdown()
        health.drain()
        // Cancelled when the process may not wait.
        try? await Task.sleep(for: delay)
    }
}
