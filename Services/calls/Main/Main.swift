import ArgumentParser
import CallsService
import Logging
import ServiceKit

/// The calls service: asking heroes for calls, agreeing on a time, and reminding of it.
@main
struct Calls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calls", abstract: "Call requests of Tech Heroes, and the times they lead to.",
        discussion: "Settings come from the environment and .env; see README.md.",
        subcommands: [Serve.self, Migrate.self, HealthCheck.self, Rebuild.self])

    /// Reads the settings, does the work and ends the process with its exit code.
    static func run(
        _ body: (CallsSettings, PrometheusRegistry, Logger) async throws -> Void
    ) async throws {
        let (logger, registry) = ServiceProcess.bootstrap(name: "calls")
        let code = await ServiceProcess.run(logger) {
            let settings = try await CallsSettings.load()
            var logger = logger
            logger.logLevel = settings.logLevel
            try await body(settings, registry, logger)
        }
        if code != 0 { throw ExitCode(code) }
    }
}
