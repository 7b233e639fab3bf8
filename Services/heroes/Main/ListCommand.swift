import ArgumentParser
import HeroesService

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists heroes, oldest first.",
        discussion: "A line for each, tabs between: id, state, applied, discipline, slug, name, title.")

    @Flag(help: "Only those who wait for staff.") var pending = false
    @Option(help: "At most so many.") var limit = 1000

    func run() async throws {
        try await Heroes.run { settings, _, logger in
            let list = HeroList(settings, logger: logger)
            for line in try await list.lines(isPendingOnly: pending, most: limit) { print(line) }
        }
    }
}
