import AccountsService
import ArgumentParser

struct StaffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "staff", abstract: "Who may review heroes.", subcommands: [Grant.self, Revoke.self, List.self])

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a user staff.")
        @Argument(help: "The user's email address.") var email: String

        func run() async throws { try await StaffCommand.set(true, email) }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a user staff no longer.")
        @Argument(help: "The user's email address.") var email: String

        func run() async throws { try await StaffCommand.set(false, email) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the addresses of all staff.")

        func run() async throws {
            try await Accounts.run { settings, _, logger in
                for email in try await Staff(settings, logger: logger).list() { print(email) }
            }
        }
    }

    private static func set(_ isStaff: Bool, _ email: String) async throws {
        try await Accounts.run { settings, _, logger in
            switch try await Staff(settings, logger: logger).set(isStaff, email: email) {
            case .done:
                print("\(email) is \(isStaff ? "now" : "no longer") staff")
            case .queued:
                print("\(email) is \(isStaff ? "now" : "no longer") staff, for tokens in use as soon as Redis is back")
                throw ExitCode(75)
            case .noSuchUser:
                throw ValidationError("there is no user with this address")
            }
        }
    }
}
