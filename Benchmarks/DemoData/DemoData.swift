import Foundation
import Logging
import Postgres
import ServiceKit

/// Plausible users, heroes and call requests for a newcomer to look at, and for measurements. Each service's data goes
/// into its schema by its own role.
///
/// It writes what events would have brought too, the copies that heroes and calls keep, with the versions that their
/// owners have. So it publishes nothing: no position of any ledger moves, and nobody gets mail about a million heroes.
/// What happens to one of the demo later is published like everything else.
public struct DemoData: Sendable {
    /// Connection strings of the services' roles. Without one its service gets no data.
    public struct Databases: Sendable {
        public var accounts: String?
        public var heroes: String
        public var calls: String?

        public init(accounts: String? = nil, heroes: String, calls: String? = nil) {
            self.accounts = accounts
            self.heroes = heroes
            self.calls = calls
        }
    }

    /// Heroes that are put in at once.
    private static let chunk = 20_000

    private let databases: Databases
    private let seed: UInt64
    private let logger: Logger

    /// - Parameter seed: the same people for the same seed. They can be put into a database once.
    public init(_ databases: Databases, seed: UInt64 = .random(in: 0...UInt64.max)) {
        self.databases = databases
        self.seed = seed
        var logger = Logger(label: "demo")
        logger.logLevel = .critical
        self.logger = logger
    }

    /// Adds heroes, a customer for every fifth of them, and a call request of each customer. Of a hundred heroes one
    /// waits for staff.
    ///
    /// It can be run beside everything else, and again. When it is interrupted, what it has done so far stays and is
    /// whole but for users who have done nothing yet.
    ///
    /// - Parameters:
    ///   - isEverybodyAccepted: nobody waits for staff.
    ///   - progress: is told how many there are so far.
    /// - Throws: `PostgresError`.
    public func load(
        heroes count: Int, isEverybodyAccepted: Bool = false, now: Timestamp = .now(),
        progress: @Sendable (Int) -> Void = { _ in }
    ) async throws {
        try await with(databases.heroes) { heroes in
            try await with(databases.accounts) { accounts in
                try await with(databases.calls) { calls in
                    guard let heroes else { return }
                    let pending = isEverybodyAccepted || count < 10 ? 0 : max(count / 100, 1)
                    try await load(
                        count, pending, now, heroes, accounts.map(DemoAccounts.init), calls.map(DemoCalls.init),
                        progress)
                    for (client, tables) in [
                        (heroes, ["heroes.heroes", "heroes.users", "heroes.edition"]), (accounts, ["accounts.users"]),
                        (calls, ["calls.users", "calls.heroes", "calls.requests", "calls.suggestions"]),
                    ] {
                        try await settle(tables, client)
                    }
                }
            }
        }
    }

    private func load(
        _ count: Int, _ pending: Int, _ now: Timestamp, _ heroes: PostgresClient, _ accounts: DemoAccounts?,
        _ calls: DemoCalls?, _ progress: @Sendable (Int) -> Void
    ) async throws {
        var random = DemoRandom(seed: seed)
        var demoHeroes = DemoHeroes(heroes)
        var done = 0
        // From three years ago until now, in order.
        let step = Int64(3 * 365 * 86_400) * 1_000_000 / Int64(max(count, 1))
        while done < count {
            let size = min(Self.chunk, count - done)
            let crowd = (0..<size).map { index in
                let ago = step * Int64(count - done - index) - Int64(random.next() % 1000)
                return DemoHero(using: &random, applied: now - .microseconds(ago), now: now)
            }
            // Longer ago than anybody has asked for a call.
            let customers = (0..<size / 5).map { _ in
                DemoPerson(using: &random, created: now - .seconds(1_000_000 + Int64(random.next() % 90_000_000)))
            }
            let people = crowd.map(\.person) + customers
            // The newest wait for staff, in the last part or in the last two.
            let waiting = min(max(pending - (count - done - size), 0), size)
            try await accounts?.load(people)
            let ids = try await demoHeroes.load(crowd, customers: customers, arePending: waiting)
            let accepted = zip(crowd, ids).dropLast(waiting).map { (hero: $0, id: $1) }
            try await calls?.load(users: people, heroes: accepted, customers: customers, now: now)
            done += size
            progress(done)
        }
    }

    /// What autovacuum would do in its own time: indexes alone are read where a page is known to be visible to all, and
    /// the planner knows how much there is.
    private func settle(_ tables: [String], _ client: PostgresClient?) async throws {
        try await client?.withConnection { connection in
            try await connection.setStatementTimeout(nil)
            for table in tables {
                try await connection.execute("VACUUM (ANALYZE) \(unsafeRaw: table)")
            }
        }
    }

    private func with(
        _ database: String?, _ body: (PostgresClient?) async throws -> Void
    ) async throws {
        guard let database else { return try await body(nil) }
        var configuration = PostgresConfiguration(database, applicationName: "demo")
        configuration.statementTimeout = .seconds(600)
        try await PostgresClient.with(configuration, logger: logger) { try await body($0) }
    }
}
