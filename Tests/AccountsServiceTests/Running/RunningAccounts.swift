import AccountsDomain
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

@testable import AccountsService

/// One accounts in this process, on a database of its own, asked as the gateway asks.
struct RunningAccounts: Sendable {
    static let secret = "a secret of tests, thirty-two characters or more"

    let port: Int
    let table: RouteTable
    let database: String
    let postgres: TestPostgres
    let redis: TestRedis
    let clock: TestClock
    let log: KeptLog
    let mailFolder: String
    let smsFolder: String

    /// What a test may want otherwise.
    struct Options: Sendable {
        var postgres: TestPostgres?
        var redis: TestRedis?
        var settings: [String: String] = [:]
        /// Between two looks at how many messages wait.
        var deliveryCountInterval = Duration.seconds(15)
        var work = Scrypt.Parameters(logN: 4, r: 8, p: 1)
        var clock = TestClock()
    }

    /// Runs `body` beside an accounts that ends with it.
    static func with(
        _ options: Options = Options(), _ body: @Sendable (RunningAccounts) async throws -> Void
    ) async throws {
        let postgres: TestPostgres
        if let own = options.postgres { postgres = own } else { postgres = try await .shared() }
        let redis: TestRedis
        if let own = options.redis { redis = own } else { redis = try await .shared() }
        let database = try await database(postgres)
        let folder = try await temporaryFolder("accounts").path
        var settings = try makeSettings(postgres.uri(database: database), redis.url, folder, options.settings)
        settings.passwordWork = options.work
        settings.hashExecutable = RunningProcess.path(of: "accounts")
        settings.deliveryCountInterval = options.deliveryCountInterval
        settings.runner.drainDelay = .zero
        // A machine that stands still for a moment is no Redis that is away; one that was stopped is known at once.
        settings.redis.connectTimeout = .seconds(20)
        settings.redis.commandTimeout = .seconds(20)
        let (ports, told) = AsyncStream<Int>.makeStream()
        let log = KeptLog()
        let clock = options.clock
        let process = try AccountsProcess(
            settings, registry: PrometheusRegistry(), log: log.writer,
            logger: Logger(label: "accounts") { JSONLogHandler(label: $0, level: .debug, writer: log.writer) },
            now: { clock.now }, onListening: { told.yield($0) })
        let group = process.runner.group(endingOn: [])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var port: Int?
            for await first in ports {
                port = first
                break
            }
            let app = RunningAccounts(
                port: port ?? 0, table: process.table, database: database, postgres: postgres, redis: redis,
                clock: clock, log: log,
                mailFolder: "\(folder)/mail", smsFolder: "\(folder)/sms")
            do {
                try await body(app)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// A database with the service's schema, for the caller alone.
    static func database(_ postgres: TestPostgres) async throws -> String {
        try await postgres.database(template: "accounts") { name in
            let settings = try makeSettings(postgres.uri(database: name), "redis://127.0.0.1", "/tmp", [:])
            try await AccountsProcess.migrate(settings, logger: Logger(label: "migrate"))
        }
    }

    private static func makeSettings(
        _ database: String, _ redis: String, _ folder: String, _ more: [String: String]
    ) throws -> AccountsSettings {
        let standard = [
            "DATABASE_URL": database, "REDIS_URL": redis, "SECRET_KEY": secret, "ACCOUNTS_PORT": "0",
            "ACCOUNTS_METRICS_PORT": "0", "LISTEN_HOST": "127.0.0.1", "STACK_HOME": folder,
            "WEB_DOMAIN": "web.example", "DRAIN_SECONDS": "0",
        ]
        var settings = try AccountsSettings(SettingsReader(environment: standard.merging(more) { $1 }))
        // A machine that stands still for a moment is no Postgres that is away.
        settings.acquireTimeout = .seconds(20)
        return settings
    }

    /// Runs SQL on the service's database.
    @discardableResult
    func sql(_ text: String) async throws -> String {
        try await postgres.psql(text, database: database).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    private let microseconds = Mutex<Int64>(Instant.now().microseconds)

    var now: Instant { Instant(microseconds: microseconds.withLock { $0 }) }

    func advance(by duration: Duration) {
        microseconds.withLock { $0 = Instant(microseconds: $0).advanced(by: duration).microseconds }
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
