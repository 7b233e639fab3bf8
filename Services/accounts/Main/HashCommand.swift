import AccountsService
import ArgumentParser

/// What `accounts serve` starts to have passwords hashed.
struct HashCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash", abstract: "Computes hashes for `accounts serve`, which starts it.", shouldDisplay: false)

    func run() { HashServer.run() }
}
