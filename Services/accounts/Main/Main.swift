import AccountsService
import ArgumentParser
import Logging
import ServiceKit

/// The accounts service: users, passwords, tokens, codes, payment methods, and the messages that go to them.
@main
struct Accounts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accounts", abstract: "Users of Tech Heroes, and who they are.",
        discussion: "Settings come from the environment and .env; see README.md.",
        subcommands: [
            Serve.self, Migrate.self, HealthCheck.self, StaffCommand.self, DeliveriesCommand.self, HashCommand.self,
        ])

    /// Reads the settings, does the work and ends the process with its exit code.
    static func run(
        _ body: (AccountsSettings, PrometheusRegistry, Logger) async throws -> Void
    ) async throws {
        let (logger, registry) = ServiceProcess.bootstrap(name: "accounts")
        let code = await ServiceProcess.run(logger) {
            let settings = try await AccountsSettings.load()
            var logger = logger
            logger.logLevel = settings.logLevel
            try await body(settings, registry, logger)
        }
        if code != 0 { throw ExitCode(code) }
    }
}
