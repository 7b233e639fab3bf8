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
        raiseDescriptorLimit(logger)
        ProcessMetrics.install(in: registry)
        let metrics = MetricsServer(
            host: settings.host, port: settings.metricsPort, registry: registry, health: health, logger: logger)
        let gateway = Gateway(settings, health: health, logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: metrics), .init(service: gateway)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        defer { LogWriter.standardError.flush() }
        try await group.run()
    }

    /// Each client is a descriptor, and each request in flight another; the default of most systems is a thousand.
    private static func raiseDescriptorLimit(_ logger: Logger) {
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        if setrlimit(resource, &limit) != 0 { logger.warning("the limit of open files stays low") }
    }
}
