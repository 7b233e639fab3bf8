import Events
import Identity
import Logging
import Postgres
import Redis
import ServiceKit

/// All settings of calls, read and checked once.
public struct CallsSettings: Sendable {
    /// Where it listens and how it ends.
    public var runner: ServiceRunner.Configuration
    /// Log lines below it are not written.
    public var logLevel: Logger.Level
    /// `CALLS_DATABASE_URL` or `DATABASE_URL`.
    public var databaseURL: String
    var redis: RedisConfiguration
    var secret: SecretKey
    var relay: RelaySettings
    /// Where accounts is.
    var accountsURLs: [String]
    /// Where heroes is.
    var heroesURLs: [String]
    /// Where clients reach the gateway.
    var publicURL: String
    /// Minutes before an agreed call at which its people are reminded.
    var reminderMinutes: Int
    /// Only tests wait for less.
    var reminderSleep: Duration = .seconds(5)
    /// How long accounts or heroes may take to answer. Only tests wait for longer.
    var ownerPatience: Duration = .seconds(1)
    /// How long a request waits for a connection to Postgres. Only tests wait for longer.
    var acquireTimeout: Duration = .seconds(3)

    /// Reads everything.
    ///
    /// - Throws: `SettingsFaults` with all that is wrong.
    public static func load() async throws -> CallsSettings {
        try CallsSettings(try await SettingsReader.load())
    }

    /// - Throws: `SettingsFaults` with all that is wrong.
    public init(_ reader: SettingsReader) throws {
        var reader = reader
        let runner = reader.runner(name: "calls", port: 8083, metricsPort: 9083)
        let logLevel = reader.logLevel()
        let database = reader.string(firstOf: ["CALLS_DATABASE_URL", "DATABASE_URL"])
        let redis = reader.parsed("REDIS_URL", default: nil, "must be redis://… or rediss://…") {
            try? RedisConfiguration(url: $0, name: "calls")
        }
        let secret = reader.secretKey()
        let accounts = reader.webURLs("ACCOUNTS_URL", default: ["http://127.0.0.1:8081"])
        let heroes = reader.webURLs("HEROES_URL", default: ["http://127.0.0.1:8082"])
        let publicURL = reader.webURL("PUBLIC_URL", default: "http://127.0.0.1:8080")
        // A year at most, so that sums of times stay times.
        let reminder = reader.integer("REMINDER_MINUTES", in: 1...525_600, default: 15)
        let relay = reader.relay()
        let values = try reader.finish(
            runner, logLevel, database, redis, secret, accounts, heroes, publicURL, reminder, relay)
        self.runner = values.0
        self.logLevel = values.1
        self.databaseURL = values.2
        self.redis = values.3
        self.secret = values.4
        self.accountsURLs = values.5
        self.heroesURLs = values.6
        self.publicURL = values.7
        self.reminderMinutes = values.8
        self.relay = values.9
    }

    /// The database, for a pool of this name.
    func postgres(_ name: String) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(databaseURL, applicationName: name)
        configuration.acquireTimeout = acquireTimeout
        return configuration
    }
}
