import Metrics
import ServiceKit

/// What this process reports, as Prometheus reads it.
enum Measured {
    private static let registry = {
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    /// Before anything that is to be measured is made.
    static func begin() { _ = registry }

    /// A metric of a service, and of the source it reads; nil when there is none.
    static func value(_ name: String, service: String, source: String? = nil) -> Double? {
        let text = String(buffer: registry.exposition())
        return text.split(separator: "\n").lazy
            .filter { $0.hasPrefix("\(name){") && $0.contains("service=\"\(service)\"") }
            .filter { line in source.map { line.contains("source=\"\($0)\"") } ?? true }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
            .first
    }
}
