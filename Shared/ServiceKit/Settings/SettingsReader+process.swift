import Logging

extension SettingsReader {
    /// What every service has: `<NAME>_PORT`, `<NAME>_METRICS_PORT`, `LISTEN_HOST`, `DRAIN_SECONDS`.
    ///
    /// - Parameters:
    ///   - name: the service, in lower case.
    ///   - port: the default port of its routes.
    ///   - metricsPort: the default port of its metrics.
    public mutating func runner(
        name: String, port: Int, metricsPort: Int
    ) -> ServiceRunner.Configuration? {
        let prefix = name.uppercased()
        let port = self.port("\(prefix)_PORT", default: port)
        let metricsPort = self.port("\(prefix)_METRICS_PORT", default: metricsPort)
        let host = string("LISTEN_HOST", default: "0.0.0.0")
        let drain = seconds("DRAIN_SECONDS", in: 0...300, default: .seconds(2))
        guard let port, let metricsPort, let host, let drain else { return nil }
        var configuration = ServiceRunner.Configuration(name: name, port: port, metricsPort: metricsPort)
        configuration.host = host
        configuration.drainDelay = drain
        return configuration
    }

    /// `LOG_LEVEL`: `trace`, `debug`, `info` (default), `notice`, `warning`, `error` or `critical`.
    public mutating func logLevel() -> Logger.Level? {
        choice("LOG_LEVEL", default: .info)
    }
}
