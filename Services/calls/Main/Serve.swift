import ArgumentParser
import CallsService

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves until it is told to end.")

    func run() async throws {
        try await Calls.run { settings, registry, logger in
            Threads.limit()
            async let _ = Autogroup.giveWay()
            try await CallsProcess.checkSchema(settings, logger: logger)
            try await CallsProcess(settings, registry: registry, logger: logger).runner.run()
        }
    }
}

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Brings the schema up to date.")

    func run() async throws {
        try await Calls.run { settings, _, logger in
            try await CallsProcess.migrate(settings, logger: logger)
        }
    }
}

struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fills the copies of users and heroes anew from accounts and heroes.",
        discussion: "Can be run at any time, beside running processes: what is newer is never replaced.")

    func run() async throws {
        try await Calls.run { settings, _, logger in
            try await CallsProcess.rebuild(settings, logger: logger)
        }
    }
}
