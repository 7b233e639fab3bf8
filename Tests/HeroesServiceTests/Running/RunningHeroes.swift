import AsyncHTTPClient
import Foundation
import Identity
import Logging
import NIOCore
import Postgres
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

@testable import HeroesService

/// One heroes or several replicas of it in this process, on a database of their own, beside a stubbed accounts, asked as
/// the gateway asks.
struct RunningHeroes: Sendable {
    static let secret = "a secret of tests, thirty-two characters or more"
    static let publicURL = "https://heroes.example"

    /// Of each replica.
    let ports: [Int]
    let database: String
    let postgres: TestPostgres
    let redis: TestRedis
    let accounts: StubAccounts
    let clock: TestClock
    let log: KeptLog
    let table: RouteTable

    /// What a test may want otherwise.
    struct Options: Sendable {
        var postgres: TestPostgres?
        var redis: TestRedis?
        var settings: [String: String] = [:]
        var replicas = 1
        var limits = PageLoader.Limits()
        var clock = TestClock()
        /// How long a request waits for a connection to Postgres.
        var acquireTimeout: Duration = .seconds(20)
    }

    /// Runs `body` beside a heroes that ends with it.
    static func with(
        _ options: Options = Options(), _ body: @Sendable (RunningHeroes) async throws -> Void
    ) async throws {
        let postgres: TestPostgres
        if let own = options.postgres { postgres = own } else { postgres = try await .shared() }
        // Events go by channels that have the service's name, so every test has a Redis to itself.
        let redis: TestRedis
        if let own = options.redis { redis = own } else { redis = try await .start() }
        let database = try await migrated(postgres)
        try await StubAccounts.with(redis: redis) { accounts in
            var settings = try makeSettings(
                postgres.uri(database: database), redis.url,
                ["ACCOUNTS_URL": accounts.url].merging(options.settings) { $1 })
            settings.limits = options.limits
            settings.acquireTimeout = options.acquireTimeout
            let log = KeptLog()
            let clock = options.clock
            let (ports, told) = AsyncStream<Int>.makeStream()
            let logger = Logger(label: "heroes") { JSONLogHandler(label: $0, level: .debug, writer: log.writer) }
            let processes = (0..<options.replicas).map { _ in
                HeroesProcess(
                    settings, registry: PrometheusRegistry(), log: log.writer, logger: logger, now: { clock.now },
                    onListening: { told.yield($0) })
            }
            try await run(processes.map { $0.runner.group(endingOn: []) }) {
                var known: [Int] = []
                for await port in ports {
                    known.append(port)
                    if known.count == options.replicas { break }
                }
                try await body(
                    RunningHeroes(
                        ports: known, database: database, postgres: postgres, redis: redis, accounts: accounts,
                        clock: clock, log: log, table: processes[0].table))
            }
        }
    }

    /// A database with the schema and nothing in it.
    static func migrated(_ postgres: TestPostgres) async throws -> String {
        try await postgres.database(template: "heroes") { name in
            let settings = try makeSettings(postgres.uri(database: name), "redis://127.0.0.1", [:])
            try await HeroesProcess.migrate(settings, logger: Logger(label: "migrate"))
        }
    }

    static func makeSettings(
        _ database: String, _ redis: String, _ more: [String: String]
    ) throws -> HeroesSettings {
        let standard = [
            "DATABASE_URL": database, "REDIS_URL": redis, "SECRET_KEY": secret, "HEROES_PORT": "0",
            "HEROES_METRICS_PORT": "0", "LISTEN_HOST": "127.0.0.1", "PUBLIC_URL": publicURL, "DRAIN_SECONDS": "0",
        ]
        var settings = try HeroesSettings(SettingsReader(environment: standard.merging(more) { $1 }))
        // A machine that stands still for a moment is no accounts and no Postgres that is away.
        settings.ownerPatience = .seconds(20)
        settings.acquireTimeout = .seconds(20)
        return settings
    }

    /// Runs SQL on the service's database.
    @discardableResult
    func sql(_ text: String) async throws -> String {
        try await postgres.psql(text, database: database).trimmingCharacters(in: .whitespacesAndNewlines)
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

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    private let microseconds = Mutex<Int64>(Timestamp.now().microseconds)

    var now: Timestamp { Timestamp(microseconds: microseconds.withLock { $0 }) }

    func advance(by duration: Duration) {
        microseconds.withLock { $0 = (Timestamp(microseconds: $0) + duration).microseconds }
    }
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
