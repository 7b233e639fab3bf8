import Events
import Identity
import Logging
import Postgres
import Redis
import ServiceKit

/// All settings of heroes, read and checked once.
public struct HeroesSettings: Sendable {
    /// Where it listens and how it ends.
    public var runner: ServiceRunner.Configuration
    /// Log lines below it are not written.
    public var logLevel: Logger.Level
    /// `HEROES_DATABASE_URL` or `DATABASE_URL`.
    public var databaseURL: String
    var redis: RedisConfiguration
    var secret: SecretKey
    var relay: RelaySettings
    /// Where accounts is.
    var accountsURLs: [String]
    /// Where clients reach the gateway.
    var publicURL: String
    /// Only tests take one way for another.
    var limits = PageLoader.Limits()
    /// How long accounts may take to answer. Only tests wait for longer.
    var ownerPatience: Duration = .seconds(1)
    /// How long a request waits for a connection to Postgres. Only tests wait for longer.
    var acquireTimeout: Duration = .seconds(3)

    /// Reads everything.
    ///
    /// - Throws: `SettingsFaults` with all that is wrong.
    public static func load() async throws -> HeroesSettings {
        try HeroesSettings(try await SettingsReader.load())
    }

    /// - Throws: `SettingsFaults` with all that is wrong.
    public init(_ reader: SettingsReader) throws {
        var reader = reader
        let runner = reader.runner(name: "heroes", port: 8082, metricsPort: 9082)
        let logLevel = reader.logLevel()
        let database = reader.string(firstOf: ["HEROES_DATABASE_URL", "DATABASE_URL"])
        let redis = reader.parsed("REDIS_URL", default: nil, "must be redis://… or rediss://…") {
            try? RedisConfiguration(url: $0, name: "heroes")
        }
        let secret = reader.secretKey()
        let accounts = reader.webURLs("ACCOUNTS_URL", default: ["http://127.0.0.1:8081"])
        let publicURL = reader.webURL("PUBLIC_URL", default: "http://127.0.0.1:8080")
        let relay = reader.relay()
        let values = try reader.finish(runner, logLevel, database, redis, secret, accounts, publicURL, relay)
        self.runner = values.0
        self.logLevel = values.1
        self.databaseURL = values.2
        self.redis = values.3
        self.secret = values.4
        self.accountsURLs = values.5
        self.publicURL = values.6
        self.relay = values.7
    }

    /// The database, for a pool of this name.
    func postgres(_ name: String) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(databaseURL, applicationName: name)
        configuration.acquireTimeout = acquireTimeout
        return configuration
    }
}
