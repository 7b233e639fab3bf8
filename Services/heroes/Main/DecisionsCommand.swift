import ArgumentParser
import HeroesService

struct DecisionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decisions", abstract: "Lists what staff decided about a hero, oldest first.",
        discussion: "A line for each, tabs between: when, accept or decline, the id of the member of staff.")

    @Argument(help: "The hero's id.") var id: Int64

    func run() async throws {
        try await Heroes.run { settings, _, logger in
            for line in try await HeroList(settings, logger: logger).decisions(of: id) { print(line) }
        }
    }
}
