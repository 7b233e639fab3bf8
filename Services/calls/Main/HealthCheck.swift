import ArgumentParser
import CallsService
import ServiceKit

struct HealthCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Asks the process on this machine whether it is ready.")

    func run() async throws {
        try await Calls.run { settings, _, _ in
            let isReady = await HealthCommand.isReady(port: settings.runner.port)
            print(isReady ? "ready" : "not ready")
            if !isReady { throw ExitCode.failure }
        }
    }
}
