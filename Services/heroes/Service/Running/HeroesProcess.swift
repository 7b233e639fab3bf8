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

/// The composition root: everything that a running heroes consists of.
public struct HeroesProcess: Sendable {
    /// Serves until it is told to end.
    public let runner: ServiceRunner
    /// What it answers.
    let table: RouteTable

    /// - Parameters:
    ///   - registry: where metrics are kept.
    ///   - now: the time that counts.
    ///   - onListening: is told the port.
    public init(
        _ settings: HeroesSettings, registry: PrometheusRegistry, log: LogWriter = .standardError, logger: Logger,
        now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        let parts = Parts(settings, logger: logger)
        let redis = RedisClient(settings.redis, eventLoop: Parts.eventLoop, logger: logger)
        let idempotency = Idempotency(schema: HeroesSchema.name, secret: settings.secret, now: now)
        let heroes = Heroes(
            postgres: parts.postgres, outbox: parts.outbox,
            ledger: EventLedger(parts.outbox, postgres: parts.postgres),
            accounts: AccountsClient(client: parts.accounts, deadline: settings.ownerPatience),
            directory: Directory(
                postgres: parts.postgres, publicURL: settings.publicURL, limits: settings.limits),
            idempotency: idempotency, now: now)
        table = heroes.routes
        runner = ServiceRunner(
            settings.runner, table: table, seal: IdentitySeal(settings.secret),
            // Neither Redis nor accounts: the directory is there without them.
            checks: [SchemaProbe(HeroesSchema.migrator, postgres: parts.postgres).check],
            services: [
                parts.postgres, redis, HTTPClientService(client: parts.http),
                Relay(parts.outbox, postgres: parts.postgres, redis: redis, settings: settings.relay, logger: logger),
                parts.users,
                Housekeeping(postgres: parts.postgres, logger: logger),
                IdempotencyHousekeeping(idempotency, postgres: parts.postgres, logger: logger),
            ],
            registry: registry, log: log, logger: logger, onListening: onListening)
    }

    /// What serving and rebuilding have in common.
    private struct Parts {
        static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

        let postgres: PostgresClient
        let outbox = Outbox(service: HeroesSchema.name)
        let http = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: InternalClient.httpConfiguration)
        let accounts: InternalClient
        let users: EventConsumer

        init(_ settings: HeroesSettings, logger: Logger) {
            var configuration = settings.postgres("heroes")
            configuration.sessionSettings = HeroesSchema.sessionSettings
            postgres = PostgresClient(configuration, logger: logger)
            accounts = InternalClient(
                name: "heroes", addresses: settings.accountsURLs, seal: IdentitySeal(settings.secret), http: http)
            users = .users(
                postgres: postgres, redis: settings.redis, eventLoop: Self.eventLoop, owner: accounts, logger: logger)
        }
    }

    /// Sees whether the schema is what this release needs. Postgres being away is no reason not to start: until it is
    /// back and its schema is right, the process isn't ready.
    ///
    /// - Throws: `MigrationError` when `migrate` has to be run first.
    public static func checkSchema(_ settings: HeroesSettings, logger: Logger) async throws {
        do {
            try await PostgresClient.with(settings.postgres("heroes"), logger: logger) {
                try await HeroesSchema.migrator.check($0)
            }
        } catch let error as PostgresError where error.isUnavailable {
            logger.warning("starting without Postgres", metadata: ["error": "\(error)"])
        }
    }

    /// Brings the schema up to date.
    ///
    /// - Throws: `MigrationError`, `PostgresError`.
    public static func migrate(_ settings: HeroesSettings, logger: Logger) async throws {
        try await PostgresClient.with(settings.postgres("heroes migrate"), logger: logger) {
            try await HeroesSchema.migrator.migrate($0, logger: logger)
        }
    }

    /// Fills the copies of users anew from accounts, beside running processes or without any.
    ///
    /// - Throws: when accounts or Postgres can't be asked.
    public static func rebuild(_ settings: HeroesSettings, logger: Logger) async throws {
        let parts = Parts(settings, logger: logger)
        let outcome: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await parts.postgres.run() }
                defer { group.cancelAll() }
                try await parts.users.rebuild()
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        try await parts.http.shutdown()
        try outcome.get()
    }
}
