import ArgumentParser
import GatewayService
import ServiceKit

/// The gateway: what clients reach, and the only way to the services.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Routes, authenticates and limits what clients ask.",
        subcommands: [Serve.self, Health.self], defaultSubcommand: Serve.self)
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves until SIGTERM or SIGINT.")

    func run() async throws {
        let code = await ServiceProcess.main(
            name: "gateway",
            settings: { reader throws(SettingsFaults) in try GatewaySettings(reader) },
            { settings, logger, registry in
                try await GatewayProcess.run(settings, registry: registry, logger: logger)
            })
        throw ExitCode(code)
    }
}

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Asks the gateway of this machine whether it is ready.")

    func run() async throws {
        var reader = try await SettingsReader.load()
        let port = try reader.finish(reader.port("GATEWAY_PORT", default: 8080))
        throw ExitCode(await HealthCommand.isReady(port: port) ? 0 : 1)
    }
}
