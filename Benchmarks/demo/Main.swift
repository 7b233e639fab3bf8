import DemoData
import Foundation
import Postgres
import Synchronization

/// `demo [N]` puts N heroes (1000 unless said otherwise), their users and some customers with call requests into the
/// databases that the settings name: `HEROES_DATABASE_URL`, and where they are set `ACCOUNTS_DATABASE_URL` and
/// `CALLS_DATABASE_URL`. It adds to what is there.
@main
enum Main {
    private static let numbers = 1...10_000_000

    static func main() async {
        let environment = ProcessInfo.processInfo.environment
        let arguments = CommandLine.arguments.dropFirst()
        let argument = arguments.first ?? "1000"
        guard arguments.count <= 1, let count = Int(argument), numbers.contains(count) else {
            end(2, "how many heroes? A whole number from \(numbers.lowerBound) to \(numbers.upperBound)")
        }
        guard let heroes = environment["HEROES_DATABASE_URL"], !heroes.isEmpty else {
            end(2, "HEROES_DATABASE_URL is not set")
        }
        let data = DemoData(
            .init(
                accounts: environment["ACCOUNTS_DATABASE_URL"], heroes: heroes, calls: environment["CALLS_DATABASE_URL"]
            ))
        let start = ContinuousClock.now
        let loaded = Mutex(0)
        do {
            try await data.load(heroes: count) { done in
                loaded.withLock { $0 = done }
                say("\(done) of \(count) heroes")
            }
        } catch {
            end(1, "\(reason(error)); \(loaded.withLock { $0 }) of \(count) heroes are there")
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print("\(count) heroes added in \(String(format: "%.1f", seconds)) s")
    }

    private static func reason(_ error: any Error) -> String {
        // No such schema, table or column, or no right to it.
        if let state = (error as? PostgresError)?.sqlState, ["3F000", "42P01", "42703", "42501"].contains(state) {
            return "the database has not the tables of this release (make up brings them): \(error)"
        }
        return "\(error)"
    }

    private static func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    private static func end(_ code: Int32, _ text: String) -> Never {
        say("demo: \(text)")
        exit(code)
    }
}
