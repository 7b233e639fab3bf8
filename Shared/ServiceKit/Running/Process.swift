import Logging
import Metrics

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What every process of ours does before and after its own work.
public enum ServiceProcess {
    /// Sends all logs to standard error as JSON and all metrics to a registry. Once in a process, before anything else.
    ///
    /// - Parameters:
    ///   - name: the name of the process.
    ///   - level: lines below it are not written.
    /// - Returns: the logger of the process and the registry.
    public static func bootstrap(name: String, level: Logger.Level = .info) -> (Logger, PrometheusRegistry) {
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level) }
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        return (Logger(label: name), registry)
    }

    /// Reads the settings of a process, sets up its logs and metrics, and runs a command to its end.
    ///
    /// - Parameters:
    ///   - name: the name of the process.
    ///   - settings: reads and checks what the command needs.
    ///   - body: the command.
    /// - Returns: the exit code, as ``run(_:_:)`` has it.
    public static func main<Settings>(
        name: String, settings read: (inout SettingsReader) throws(SettingsFaults) -> Settings,
        _ body: (Settings, Logger, PrometheusRegistry) async throws -> Void
    ) async -> Int32 {
        let settings: Result<(Settings, Logger.Level), SettingsFaults>
        do throws(SettingsFaults) {
            var reader = try await SettingsReader.load()
            let level = reader.logLevel()
            let values = try read(&reader)
            settings = .success((values, try reader.finish(level)))
        } catch {
            settings = .failure(error)
        }
        let (logger, registry) = bootstrap(name: name, level: (try? settings.get().1) ?? .info)
        return await run(logger) { try await body(settings.get().0, logger, registry) }
    }

    /// Runs a command to its end: what it throws is logged and makes the exit code 1, settings that won't do make it 78
    /// (sysexits.h, EX_CONFIG).
    public static func run(_ logger: Logger, _ body: () async throws -> Void) async -> Int32 {
        defer { LogWriter.standardError.flush() }
        do {
            try await body()
            return 0
        } catch let faults as SettingsFaults {
            for fault in faults.faults { logger.critical("bad setting", metadata: ["fault": .string(fault)]) }
            return 78
        } catch {
            logger.critical("failed", metadata: ["error": .string(String(describing: error))])
            return 1
        }
    }
}
