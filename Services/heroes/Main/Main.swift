import ArgumentParser
import HeroesService

@main
struct Heroes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "heroes")
}
