import ArgumentParser
import HeroesService
import Logging
import ServiceKit

/// The heroes service: applications, their review by staff, and the public directory.
@main
struct Heroes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heroes", abstract: "Heroes of Tech Heroes, and where the public finds them.",
        discussion: "Settings come from the environment and .env; see README.md.",
        subcommands: [
            Serve.self, Migrate.self, HealthCheck.self, ListCommand.self, DecisionsCommand.self, Rebuild.self,
        ])

    /// Reads the settings, does the work and ends the process with its exit code.
    static func run(
        _ body: (HeroesSettings, PrometheusRegistry, Logger) async throws -> Void
    ) async throws {
        let (logger, registry) = ServiceProcess.bootstrap(name: "heroes")
        let code = await ServiceProcess.run(logger) {
            let settings = try await HeroesSettings.load()
            var logger = logger
            logger.logLevel = settings.logLevel
            try await body(settings, registry, logger)
        }
        if code != 0 { throw ExitCode(code) }
    }
}
