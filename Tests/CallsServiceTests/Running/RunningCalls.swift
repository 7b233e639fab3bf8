import CallsDomain
import Foundation
import Identity
import Logging
import Postgres
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

@testable import CallsService

/// One calls or several replicas of it in this process, on a database of their own, beside stubs of accounts and heroes,
/// asked as the gateway asks.
struct RunningCalls: Sendable {
    static let secret = "a secret of tests, thirty-two characters or more"
    static let publicURL = "https://heroes.example"

    /// Of each replica.
    let ports: [Int]
    let database: String
    let postgres: TestPostgres
    let accounts: StubOwner
    let heroes: StubOwner
    let clock: TestClock
    let log: KeptLog
    let settings: CallsSettings

    /// What a test may want otherwise.
    struct Options: Sendable {
        var postgres: TestPostgres?
        var settings: [String: String] = [:]
        var replicas = 1
        var clock = TestClock()
    }

    /// Runs `body` beside a calls that ends with it.
    static func with(
        _ options: Options = Options(), _ body: @Sendable (RunningCalls) async throws -> Void
    ) async throws {
        let postgres: TestPostgres
        if let own = options.postgres { postgres = own } else { postgres = try await .shared() }
        // Events go by channels that have the service's name, so every test has a Redis to itself.
        let redis = try await TestRedis.start()
        let database = try await postgres.database(template: "calls") { name in
            let settings = try makeSettings(postgres.uri(database: name), "redis://127.0.0.1", [:])
            try await CallsProcess.migrate(settings, logger: Logger(label: "migrate"))
        }
        try await StubOwner.with(
            source: "accounts", items: "/internal/v1/users", one: "/internal/v1/users/{id}/public", redis: redis
        ) { accounts in
            try await StubOwner.with(
                source: "heroes", items: "/internal/v1/heroes", one: "/internal/v1/heroes/{id}", redis: redis
            ) { heroes in
                let addresses = ["ACCOUNTS_URL": accounts.url, "HEROES_URL": heroes.url]
                let settings = try makeSettings(
                    postgres.uri(database: database), redis.url, addresses.merging(options.settings) { $1 })
                let log = KeptLog()
                try await serve(settings, options, log) { ports in
                    let app = RunningCalls(
                        ports: ports, database: database, postgres: postgres, accounts: accounts, heroes: heroes,
                        clock: options.clock, log: log, settings: settings)
                    // From here on only events and questions tell it anything: the snapshots have been read.
                    try await eventually("both cursors") {
                        try await app.sql("SELECT count(*) FROM calls.inbox_cursor") == "2"
                    }
                    try await body(app)
                }
            }
        }
    }

    private static func serve(
        _ settings: CallsSettings, _ options: Options, _ log: KeptLog,
        _ body: @Sendable ([Int]) async throws -> Void
    ) async throws {
        let clock = options.clock
        let (ports, told) = AsyncStream<Int>.makeStream()
        let logger = Logger(label: "calls") { JSONLogHandler(label: $0, level: .debug, writer: log.writer) }
        let groups = (0..<options.replicas).map { _ in
            CallsProcess(
                settings, registry: PrometheusRegistry(), log: log.writer, logger: logger, now: { clock.now },
                onListening: { told.yield($0) }
            ).runner.group(endingOn: [])
        }
        try await run(groups) {
            var known: [Int] = []
            for await port in ports {
                known.append(port)
                if known.count == options.replicas { break }
            }
            try await body(known)
        }
    }

    private static func makeSettings(
        _ database: String, _ redis: String, _ more: [String: String]
    ) throws -> CallsSettings {
        let standard = [
            "DATABASE_URL": database, "REDIS_URL": redis, "SECRET_KEY": secret, "CALLS_PORT": "0",
            "CALLS_METRICS_PORT": "0", "LISTEN_HOST": "127.0.0.1", "PUBLIC_URL": publicURL, "DRAIN_SECONDS": "0",
        ]
        var settings = try CallsSettings(SettingsReader(environment: standard.merging(more) { $1 }))
        settings.reminderSleep = .milliseconds(50)
        // A machine that stands still for a moment is no owner and no Postgres that is away.
        settings.ownerPatience = .seconds(20)
        settings.acquireTimeout = .seconds(20)
        return settings
    }

    /// Gives `body` a client of its own.
    func withClient<Result: Sendable>(
        _ body: @Sendable (PostgresClient) async throws -> Result
    ) async throws -> Result {
        var configuration = PostgresConfiguration(postgres.uri(database: database), applicationName: "test")
        configuration.acquireTimeout = .seconds(20)
        return try await PostgresClient.with(configuration, logger: Logger(label: "test"), body)
    }

    /// Gives `body` copies of its own, as a replica has them, that wait for their owners as long as it takes.
    func withCopies(_ body: @Sendable (HeroCopies, UserCopies) async throws -> Void) async throws {
        let seal = IdentitySeal(settings.secret)
        @Sendable func client(_ addresses: [String]) -> InternalClient {
            InternalClient(name: "calls", addresses: addresses, seal: seal, http: .shared)
        }
        try await withClient { postgres in
            try await body(
                HeroCopies(postgres: postgres, heroes: client(settings.heroesURLs), patience: .seconds(60)),
                UserCopies(postgres: postgres, accounts: client(settings.accountsURLs), patience: .seconds(60)))
        }
    }

    /// Runs SQL on the service's database.
    @discardableResult
    func sql(_ text: String) async throws -> String {
        try await postgres.psql(text, database: database)
    }
}

/// Runs groups of services for as long as `body` runs.
func run(_ groups: [ServiceGroup], _ body: @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        for group in groups { tasks.addTask { try await group.run() } }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        for group in groups { await group.triggerGracefulShutdown() }
        try outcome.get()
        try await tasks.waitForAll()
    }
}

/// A clock that stands still until it is moved. It begins on a quarter of an hour.
final class TestClock: Sendable {
    private let time: Mutex<Instant>

    init() {
        let quarter: Int64 = 15 * 60_000_000
        time = Mutex(Instant(microseconds: Instant.now().microseconds / quarter * quarter))
    }

    var now: Instant { time.withLock { $0 } }

    func advance(minutes: Int64) { time.withLock { $0 = $0.advanced(minutes: minutes) } }
}

/// Everything that was logged.
final class KeptLog: Sendable {
    let writer: LogWriter

    init() {
        let kept = Kept()
        self.kept = kept
        self.writer = LogWriter { buffer in kept.bytes.withLock { $0 += Array(buffer) } }
    }

    private final class Kept: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private let kept: Kept

    var text: String {
        writer.flush()
        return String(decoding: kept.bytes.withLock { $0 }, as: UTF8.self)
    }
}
