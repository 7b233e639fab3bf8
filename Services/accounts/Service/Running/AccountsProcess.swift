import AccountsDomain
import AsyncHTTPClient
import Events
import Idempotency
import Identity
import Logging
import NIOCore
import NIOPosix
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle

/// The composition root: everything that a running accounts consists of.
public struct AccountsProcess: Sendable {
    /// Serves until it is told to end.
    public let runner: ServiceRunner
    /// What it answers.
    let table: RouteTable

    /// - Parameters:
    ///   - registry: where metrics are kept.
    ///   - now: the time that counts.
    ///   - onListening: is told the port.
    /// - Throws: when the system lacks something, such as its time zones.
    public init(
        _ settings: AccountsSettings, registry: PrometheusRegistry, log: LogWriter = .standardError, logger: Logger,
        now: @escaping @Sendable () -> Instant = Instant.now,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws {
        let postgres = PostgresClient(settings.postgres("accounts"), logger: logger)
        let redis = RedisClient(
            settings.redis, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
        let passwords = PasswordHasher(
            secret: settings.secret, parameters: settings.passwordWork, queue: settings.passwordQueue,
            executable: settings.hashExecutable, logger: logger)
        let outbox = Outbox(service: AccountsSchema.name)
        let tokens = TokenStore(
            secret: settings.secret, copies: TokenCopies(redis: redis), outbox: outbox,
            lifetimes: settings.rules.lifetimes, logger: logger)
        let idempotency = Idempotency(
            schema: AccountsSchema.name, secret: settings.secret,
            now: { Timestamp(microseconds: now().microseconds) })
        let queue = DeliveryQueue(seal: MessageSeal(settings.secret))
        let templates = try MessageTemplates(webDomain: settings.webDomain)
        let zones = try TimeZoneDatabase.system()
        var payments: any PaymentProvider = SandboxPayments()
        var webhook: StripeWebhook?
        if case .stripe(let baseURL, let secretKey, let webhookSecret) = settings.payments {
            payments = StripePayments(client: .shared, baseURL: baseURL, secretKey: secretKey)
            webhook = StripeWebhook(secret: webhookSecret)
        }
        let accounts = Accounts(
            postgres: postgres, passwords: passwords, tokens: tokens, codes: CodeHasher(settings.secret),
            outbox: outbox, outgoing: queue, idempotency: idempotency, payments: payments, webhook: webhook,
            zones: zones,
            rules: settings.rules, now: now)
        table = accounts.routes
        let delivery = Self.delivery(
            Self.transports(settings), queue: queue, postgres: postgres, templates: templates,
            clocks: ZoneClocks(zones, logger: logger), logger: logger, now: now)
        let consumers = Self.consumers(settings, queue: queue, postgres: postgres, logger: logger, now: now)
        runner = ServiceRunner(
            settings.runner, table: table, seal: IdentitySeal(settings.secret),
            // Not Redis: without it everything is answered, but for what must be confirmed there.
            checks: [SchemaProbe(AccountsSchema.migrator, postgres: postgres).check],
            services: [
                passwords, postgres, redis,
                Relay(outbox, postgres: postgres, redis: redis, settings: settings.relay, logger: logger),
                TokenSweep(tokens: tokens, postgres: postgres, logger: logger),
                Housekeeping(postgres: postgres, logger: logger, now: now),
                IdempotencyHousekeeping(idempotency, postgres: postgres, logger: logger),
                DeliveryGauges(
                    postgres: postgres, factory: registry, interval: settings.deliveryCountInterval, logger: logger,
                    now: now),
            ] + delivery + consumers,
            registry: registry, log: log, logger: logger, onListening: onListening)
    }

    /// Sees whether the schema is what this release needs. Postgres being away is no reason not to start: until it is
    /// back and its schema is right, the process isn't ready.
    ///
    /// - Throws: `MigrationError` when `migrate` has to be run first.
    public static func checkSchema(_ settings: AccountsSettings, logger: Logger) async throws {
        do {
            try await PostgresClient.with(settings.postgres("accounts"), logger: logger) {
                try await AccountsSchema.migrator.check($0)
            }
        } catch let error as PostgresError where error.isUnavailable {
            logger.warning("starting without Postgres", metadata: ["error": "\(error)"])
        }
    }

    /// Brings the schema up to date.
    ///
    /// - Throws: `MigrationError`, `PostgresError`.
    public static func migrate(_ settings: AccountsSettings, logger: Logger) async throws {
        try await PostgresClient.with(settings.postgres("accounts migrate"), logger: logger) {
            try await AccountsSchema.migrator.migrate($0, logger: logger)
        }
    }
}
