import Logging
import ServiceKit
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The gateway's process: the gateway, its metrics, and an orderly end.
public enum GatewayProcess {
    /// Serves until SIGTERM or SIGINT, and then until what was in flight is done.
    ///
    /// - Throws: what made a part of it fail.
    public static func run(_ settings: GatewaySettings, registry: PrometheusRegistry, logger: Logger) async throws {
        // A peer that went away is an error to handle and not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let health = ServiceKit.Health()
        let metrics = MetricsServer(port: settings.metricsPort, registry: registry, health: health, logger: logger)
        let gateway = Gateway(settings, health: health, logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: metrics), .init(service: gateway)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}
