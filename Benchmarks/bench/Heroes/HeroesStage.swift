import DemoData
import Foundation
import Logging
import Postgres
import Synchronization
import TestKit

/// The gateway and heroes of this build, with their default settings, on a directory of some size.
struct HeroesStage {
    let gateway: BenchedGateway
    let database: String
    private let heroes: RunningProcess

    /// - Parameter database: connection string of a database that is filled already, see ``HeroesData``.
    static func start(database: String, redis: TestRedis) async throws -> HeroesStage {
        let port = try freePort()
        let secret = UUID().uuidString + UUID().uuidString
        // Nobody is asked for users: all copies are there.
        let accounts = try freePort()
        let heroes = try await RunningProcess.start(
            "heroes", ["serve"],
            environment: [
                "DATABASE_URL": database, "REDIS_URL": redis.url, "SECRET_KEY": secret, "HEROES_PORT": "\(port)",
                "HEROES_METRICS_PORT": "0", "LISTEN_HOST": "127.0.0.1", "ACCOUNTS_URL": "http://127.0.0.1:\(accounts)",
            ], readyURL: "http://127.0.0.1:\(port)/health/ready")
        return HeroesStage(
            gateway: try await BenchedGateway.start(
                redis: redis, servicePort: port, settings: ["SECRET_KEY": secret]),
            database: database, heroes: heroes)
    }

    var port: Int { gateway.port }

    func stop() async throws {
        try await gateway.process.terminate()
        try await heroes.terminate()
    }

    /// Processor time that both have taken, in seconds.
    var processorTime: Double { ProcessorTime.of(gateway.process.pid) + ProcessorTime.of(heroes.pid) }
}

/// Databases with accepted heroes of the demo.
enum HeroesData {
    /// Those that an earlier part has filled, by setting.
    private static let made = Mutex<[String: String]>([:])

    /// Gives `body` the connection string of a database with so many.
    ///
    /// - Parameter setting: names a database to use, which is filled at first: a million heroes take minutes. Without it
    ///   a new one is made.
    static func with(
        _ count: Int, setting: String, on postgres: TestPostgres, _ body: (String) async throws -> Void
    ) async throws {
        let database: String
        if let known = Main.setting(setting) ?? made.withLock({ $0[setting] }) {
            database = known
        } else {
            database = postgres.uri(database: try await postgres.database())
            made.withLock { $0[setting] = database }
        }
        try await RunningProcess.run(
            "heroes", ["migrate"],
            environment: [
                "DATABASE_URL": database, "REDIS_URL": "redis://127.0.0.1", "SECRET_KEY": UUID().uuidString,
            ])
        let missing = count - Int(try await accepted(database))
        if missing > 0 {
            let start = ContinuousClock.now
            try await DemoData(.init(heroes: database)).load(heroes: missing, isEverybodyAccepted: true)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print(String(format: "(%d heroes loaded in %.1f s)", missing, seconds))
        }
        try await body(database)
    }

    static func accepted(_ database: String) async throws -> Int64 {
        try await connected(database) {
            try await $0.read("SELECT fe + be + io + an + ux FROM heroes.edition").first?.decode(Int64.self) ?? 0
        }
    }

    static func connected<Result>(
        _ database: String, _ body: (PostgresClient) async throws -> Result
    ) async throws -> Result {
        var logger = Logger(label: "bench")
        logger.logLevel = .critical
        return try await PostgresClient.with(
            PostgresConfiguration(database, applicationName: "bench"), logger: logger, body)
    }
}
