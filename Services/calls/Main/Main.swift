import ArgumentParser
import CallsService

@main
struct Calls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "calls")
}
