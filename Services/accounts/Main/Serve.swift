import AccountsService
import ArgumentParser

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves until it is told to end.")

    func run() async throws {
        try await Accounts.run { settings, registry, logger in
            try await AccountsProcess.checkSchema(settings, logger: logger)
            try await AccountsProcess(settings, registry: registry, logger: logger).runner.run()
        }
    }
}

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Brings the schema up to date.")

    func run() async throws {
        try await Accounts.run { settings, _, logger in
            try await AccountsProcess.migrate(settings, logger: logger)
        }
    }
}
