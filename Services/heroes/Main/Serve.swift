import ArgumentParser
import HeroesService

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves until it is told to end.")

    func run() async throws {
        try await Heroes.run { settings, registry, logger in
            try await HeroesProcess.checkSchema(settings, logger: logger)
            try await HeroesProcess(settings, registry: registry, logger: logger).runner.run()
        }
    }
}

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Brings the schema up to date.")

    func run() async throws {
        try await Heroes.run { settings, _, logger in
            try await HeroesProcess.migrate(settings, logger: logger)
        }
    }
}

struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fills the copies of users anew from accounts.",
        discussion: "Can be run at any time, beside running processes: what is newer is never replaced.")

    func run() async throws {
        try await Heroes.run { settings, _, logger in
            try await HeroesProcess.rebuild(settings, logger: logger)
        }
    }
}
