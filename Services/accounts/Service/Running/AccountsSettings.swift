import AccountsDomain
import Events
import Identity
import Logging
import Postgres
import Redis
import ServiceKit

/// All settings of accounts, read and checked once.
public struct AccountsSettings: Sendable {
    /// Where it listens and how it ends.
    public var runner: ServiceRunner.Configuration
    /// Log lines below it are not written.
    public var logLevel: Logger.Level
    /// `ACCOUNTS_DATABASE_URL` or `DATABASE_URL`.
    public var databaseURL: String
    var redis: RedisConfiguration
    var secret: SecretKey
    var relay: RelaySettings
    var rules = Accounts.Rules()
    var payments = Payments.sandbox
    var mail: MailRoute
    var sms: SMSRoute
    var mailFrom: String
    var heroesURLs: [String]
    var callsURLs: [String]
    var webDomain: String
    var passwordQueue: Int
    /// Only tests have less work done.
    var passwordWork = Scrypt.Parameters.standard
    /// What is started as `accounts hash`. Only tests run in another executable than accounts.
    var hashExecutable = "/proc/self/exe"
    /// Only tests count more often.
    var deliveryCountInterval: Duration = .seconds(15)
    /// How long a request waits for a connection to Postgres. Only tests wait for longer.
    var acquireTimeout: Duration = .seconds(3)

    enum Payments: Sendable {
        case sandbox
        /// The API's address, its key, and the secret of the webhook.
        case stripe(baseURL: String, secretKey: String, webhookSecret: String)
    }

    private enum PaymentsChoice: String, CaseIterable {
        case sandbox
        case stripe
    }

    /// Reads everything.
    ///
    /// - Throws: `SettingsFaults` with all that is wrong.
    public static func load() async throws -> AccountsSettings {
        try AccountsSettings(try await SettingsReader.load())
    }

    /// - Throws: `SettingsFaults` with all that is wrong.
    public init(_ reader: SettingsReader) throws {
        var reader = reader
        let runner = reader.runner(name: "accounts", port: 8081, metricsPort: 9081)
        let logLevel = reader.logLevel()
        let database = reader.string(firstOf: ["ACCOUNTS_DATABASE_URL", "DATABASE_URL"])
        let redis = reader.parsed("REDIS_URL", default: nil, "must be redis://… or rediss://…") {
            try? RedisConfiguration(url: $0)
        }
        let secret = reader.secretKey()
        let home = reader.string("STACK_HOME", default: ".local") ?? ".local"
        let mail = reader.mailRoute(folder: "\(home)/mail")
        let sms = reader.smsRoute(folder: "\(home)/sms")
        let heroes = reader.webURLs("HEROES_URL", default: ["http://127.0.0.1:8082"])
        let calls = reader.webURLs("CALLS_URL", default: ["http://127.0.0.1:8083"])
        let domain = reader.parsed("WEB_DOMAIN", default: "localhost", "must be a host, perhaps with a port") {
            Self.isHost($0) ? $0 : nil
        }
        let from = reader.parsed("MAIL_FROM", default: "no-reply@techheroes.example", "must be an email address") {
            try? EmailAddress($0).text
        }
        let queue = reader.integer("PASSWORD_QUEUE", in: 1...10_000, default: 64)
        let rules = Self.rules(&reader)
        let payments = Self.payments(&reader)
        let relay = reader.relay()

        let values = try reader.finish(
            runner, logLevel, database, redis, secret, mail, sms, domain, from, queue, rules, payments,
            heroes, calls, relay)
        self.runner = values.0
        self.logLevel = values.1
        self.databaseURL = values.2
        self.redis = values.3
        self.secret = values.4
        self.mail = values.5
        self.sms = values.6
        self.webDomain = values.7
        self.mailFrom = values.8
        self.passwordQueue = values.9
        self.rules = values.10
        self.payments = values.11
        self.heroesURLs = values.12
        self.callsURLs = values.13
        self.relay = values.14
    }

    /// The database, for a pool of this name.
    func postgres(_ name: String) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(databaseURL, applicationName: name)
        configuration.acquireTimeout = acquireTimeout
        return configuration
    }

    private static func rules(_ reader: inout SettingsReader) -> Accounts.Rules? {
        let standard = Lifetimes()
        let year = 0.001...31_536_000.0
        let email = reader.seconds("EMAIL_CODE_SECONDS", in: year, default: standard.emailCode)
        let phone = reader.seconds("PHONE_CODE_SECONDS", in: year, default: standard.phoneCode)
        let password = reader.seconds("PASSWORD_CODE_SECONDS", in: year, default: standard.passwordCode)
        let token = reader.seconds("TOKEN_SECONDS", in: 1...31_536_000, default: standard.token)
        let unverified = reader.seconds(
            "UNVERIFIED_TOKEN_SECONDS", in: 1...31_536_000, default: standard.unverifiedToken)
        let limits = reader.bool("RATE_LIMIT_ENABLED", default: true)
        let hides = reader.bool("ENUMERATION_SAFE", default: false)
        guard let email, let phone, let password, let token, let unverified, let limits, let hides else { return nil }
        return Accounts.Rules(
            lifetimes: Lifetimes(
                emailCode: email, phoneCode: phone, passwordCode: password, token: token, unverifiedToken: unverified),
            limitsResends: limits, hidesAccounts: hides)
    }

    private static func payments(_ reader: inout SettingsReader) -> Payments? {
        switch reader.choice("PAYMENTS", default: PaymentsChoice.sandbox) {
        case .sandbox?: return .sandbox
        case .stripe?:
            let key = reader.string("STRIPE_SECRET_KEY")
            let webhook = reader.string("STRIPE_WEBHOOK_SECRET")
            let base = reader.webURL("STRIPE_API_BASE", default: "https://api.stripe.com")
            guard let key, let webhook, let base else { return nil }
            return .stripe(baseURL: base, secretKey: key, webhookSecret: webhook)
        case nil: return nil
        }
    }

    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-.:[]".utf8.contains(byte)
            }
    }
}
