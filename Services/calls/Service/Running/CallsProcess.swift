import AsyncHTTPClient
import CallsDomain
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

/// The composition root: everything that a running calls consists of.
public struct CallsProcess: Sendable {
    /// Serves until it is told to end.
    public let runner: ServiceRunner

    /// - Parameters:
    ///   - registry: where metrics are kept.
    ///   - now: the time that counts.
    ///   - onListening: is told the port.
    public init(
        _ settings: CallsSettings, registry: PrometheusRegistry, log: LogWriter = .standardError, logger: Logger,
        now: @escaping @Sendable () -> Instant = Instant.now,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        let parts = Parts(settings, logger: logger)
        let postgres = parts.postgres
        let outbox = Outbox(service: CallsSchema.name)
        let redis = RedisClient(settings.redis, eventLoop: Parts.eventLoop, logger: logger)
        let idempotency = Idempotency(
            schema: CallsSchema.name, secret: settings.secret,
            now: { Timestamp(microseconds: now().microseconds) })
        let bell = ReminderBell()
        let executor = Threads.areToBeFew ? postgres.executor : nil
        let calls = Calls(
            postgres: postgres, outbox: outbox,
            newRequests: NewRequests(postgres, outbox, executor: executor), idempotency: idempotency,
            users: UserCopies(postgres: postgres, accounts: parts.accounts, patience: settings.ownerPatience),
            heroes: HeroCopies(postgres: postgres, heroes: parts.heroes, patience: settings.ownerPatience),
            pages: PageLinks(publicURL: settings.publicURL), ledger: EventLedger(outbox, postgres: postgres),
            reminders: bell, now: now)
        var reminders = ReminderWorker(
            postgres: postgres, outbox: outbox, bell: bell, lead: Int64(settings.reminderMinutes), logger: logger,
            now: now)
        reminders.longestSleep = settings.reminderSleep
        var relay = Relay(outbox, postgres: postgres, redis: redis, settings: settings.relay, logger: logger)
        relay.executor = executor
        var runner = ServiceRunner(
            settings.runner, table: calls.routes, seal: IdentitySeal(settings.secret),
            // Neither Redis nor the other services: most of what calls does needs none of them.
            checks: [SchemaProbe(CallsSchema.migrator, postgres: postgres).check],
            services: [
                postgres, redis, HTTPClientService(client: parts.http), relay, parts.userEvents, parts.heroEvents,
                reminders,
                IdempotencyHousekeeping(idempotency, postgres: postgres, logger: logger),
            ],
            registry: registry, log: log, logger: logger, onListening: onListening)
        runner.executor = executor
        self.runner = runner
    }

    /// What serving and rebuilding have in common.
    private struct Parts {
        static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

        let postgres: PostgresClient
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: InternalClient.httpConfiguration)
        let accounts: InternalClient
        let heroes: InternalClient
        let userEvents: EventConsumer
        let heroEvents: EventConsumer

        init(_ settings: CallsSettings, logger: Logger) {
            let seal = IdentitySeal(settings.secret)
            postgres = PostgresClient(
                settings.postgres("calls"), on: Threads.areToBeFew ? Self.eventLoop : nil, logger: logger)
            accounts = InternalClient(name: "calls", addresses: settings.accountsURLs, seal: seal, http: http)
            heroes = InternalClient(name: "calls", addresses: settings.heroesURLs, seal: seal, http: http)
            userEvents = .users(
                postgres: postgres, redis: settings.redis, eventLoop: Self.eventLoop, owner: accounts, logger: logger)
            heroEvents = .heroes(
                postgres: postgres, redis: settings.redis, eventLoop: Self.eventLoop, owner: heroes, logger: logger)
        }
    }

    /// Sees whether the schema is what this release needs. Postgres being away is no reason not to start: until it is
    /// back and its schema is right, the process isn't ready.
    ///
    /// - Throws: `MigrationError` when `migrate` has to be run first.
    public static func checkSchema(_ settings: CallsSettings, logger: Logger) async throws {
        do {
            try await PostgresClient.with(settings.postgres("calls"), logger: logger) {
                try await CallsSchema.migrator.check($0)
            }
        } catch let error as PostgresError where error.isUnavailable {
            logger.warning("starting without Postgres", metadata: ["error": "\(error)"])
        }
    }

    /// Brings the schema up to date.
    ///
    /// - Throws: `MigrationError`, `PostgresError`.
    public static func migrate(_ settings: CallsSettings, logger: Logger) async throws {
        try await PostgresClient.with(settings.postgres("calls migrate"), logger: logger) {
            try await CallsSchema.migrator.migrate($0, logger: logger)
        }
    }

    /// Fills the copies of users and heroes anew from their owners, beside running processes or without any.
    ///
    /// - Throws: when an owner or Postgres can't be asked.
    public static func rebuild(_ settings: CallsSettings, logger: Logger) async throws {
        let parts = Parts(settings, logger: logger)
        let outcome: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await parts.postgres.run() }
                defer { group.cancelAll() }
                try await parts.userEvents.rebuild()
                try await parts.heroEvents.rebuild()
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        try await parts.http.shutdown()
        try outcome.get()
    }
}
