import AccountsDomain
import Foundation
import Identity
import Logging
import Postgres
import ServiceKit
import Synchronization
import TestKit

@testable import AccountsService

/// A queue of deliveries on a database of its own, with workers whose transports only remember.
struct Deliveries: Sendable {
    static let logger = Logger(label: "deliveries")

    let postgres: TestPostgres
    let database: String
    let client: PostgresClient
    let queue: DeliveryQueue
    let clock = TestClock()
    let sent = Sent()
    let log = KeptLog()

    static func with(_ body: @Sendable (Deliveries) async throws -> Void) async throws {
        // A machine that stands still for a moment is no Postgres that is away.
        try await with(try await TestPostgres.shared(), acquireTimeout: .seconds(20), body)
    }

    /// On a server that the test stops: what waits for a connection is soon told that there is none.
    static func with(
        _ postgres: TestPostgres, acquireTimeout: Duration = .seconds(3),
        _ body: @Sendable (Deliveries) async throws -> Void
    ) async throws {
        let database = try await RunningAccounts.database(postgres)
        let queue = DeliveryQueue(seal: MessageSeal(try SecretKey(RunningAccounts.secret)))
        var configuration = PostgresConfiguration(postgres.uri(database: database), applicationName: "deliveries")
        configuration.acquireTimeout = acquireTimeout
        try await PostgresClient.with(configuration, logger: logger) { client in
            try await body(Deliveries(postgres: postgres, database: database, client: client, queue: queue))
        }
    }

    /// Runs `body` with a client of its own, as another process has.
    func withOtherClient(_ body: @Sendable (PostgresClient) async throws -> Void) async throws {
        var configuration = PostgresConfiguration(postgres.uri(database: database), applicationName: "other")
        configuration.acquireTimeout = .seconds(20)
        try await PostgresClient.with(configuration, logger: Self.logger, body)
    }

    /// Workers on this client.
    var worker: Workers {
        get throws { try worker(on: client) }
    }

    func worker(on postgres: PostgresClient) throws -> Workers {
        let templates = try MessageTemplates(webDomain: "web.example")
        let clocks = ZoneClocks(try .system(), logger: Self.logger)
        let ways: [Outgoing] = [
            .mail(sent.transports.mail, templates, clocks),
            .sms(sent.transports.sms, templates, clocks, now: { clock.now }),
        ]
        return Workers(all: ways.map { worker($0, on: postgres) })
    }

    /// A worker as it runs in a process.
    func worker(
        _ outgoing: Outgoing, on postgres: PostgresClient? = nil, schedule: RetrySchedule = RetrySchedule(),
        now: (@Sendable () -> Instant)? = nil
    ) -> DeliveryWorker {
        let log = log
        return DeliveryWorker(
            outgoing, queue: queue, postgres: postgres ?? client, schedule: schedule, pollInterval: .milliseconds(20),
            claim: .seconds(60),
            logger: Logger(label: "worker") { JSONLogHandler(label: $0, level: .debug, writer: log.writer) },
            now: now ?? { clock.now })
    }

    func add(
        _ message: Message, _ user: UUID = UUID(), event: UUID = UUID(), notAfter: Instant? = nil
    ) async throws {
        try await client.withTransaction { transaction in
            try await queue.add(
                message, to: user, event: event, notAfter: notAfter, at: clock.now, in: transaction)
        }
    }

    @discardableResult
    func sql(_ text: String) async throws -> String {
        try await postgres.psql(text, database: database)
    }

    /// What `Housekeeping` does now and then, by this clock.
    func clean() async throws {
        try await Housekeeping(postgres: client, logger: Self.logger, now: { clock.now }).clean()
    }

    struct Row: Sendable {
        var state: String
        var attempts: Int32
        var reason: String?
        var nextAttempt: Instant
        var hasPayload: Bool
    }

    /// The first row.
    func row() async throws -> Row {
        let rows = try await client.read(
            """
            SELECT state, attempts, reason, next_attempt, payload IS NOT NULL FROM accounts.deliveries
            ORDER BY id LIMIT 1
            """)
        guard let row = rows.first else { throw TestFailure("no delivery") }
        let (state, attempts, reason, next, hasPayload) = try row.decode((String, Int32, String?, Instant, Bool).self)
        return Row(state: state, attempts: attempts, reason: reason, nextAttempt: next, hasPayload: hasPayload)
    }
}

/// One worker for each channel.
struct Workers: Sendable {
    var all: [DeliveryWorker]

    /// Tries once what is due now, until all of it is done.
    ///
    /// - Returns: how many messages were tried.
    func sendDue() async throws -> Int {
        var count = 0
        for worker in all {
            let claimed = try await worker.next() ?? []
            count += claimed.count
            await withDiscardingTaskGroup { group in
                for row in claimed { group.addTask { await worker.attempt(row) } }
            }
        }
        return count
    }
}

/// What left, and what is to go wrong.
final class Sent: Sendable {
    private struct State {
        var mails: [Mail] = []
        var sms: [SMS] = []
        var failure: DeliveryFailure?
        var failing: String?
        var before: (@Sendable () async -> Void)?
    }

    private let state = Mutex(State())

    var mails: [Mail] { state.withLock { $0.mails } }
    var sms: [SMS] { state.withLock { $0.sms } }

    /// What every message meets.
    var failure: DeliveryFailure? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    /// An address to which nothing can be sent.
    var failing: String? {
        get { state.withLock { $0.failing } }
        set { state.withLock { $0.failing = newValue } }
    }

    /// What each has to wait for first.
    var before: (@Sendable () async -> Void)? {
        get { state.withLock { $0.before } }
        set { state.withLock { $0.before = newValue } }
    }

    var transports: Transports {
        Transports(
            mail: Transport(width: 16, longestTry: .seconds(30)) { mail in
                try await self.leave(mail.to) { $0.mails.append(mail) }
            },
            sms: Transport(width: 16, longestTry: .seconds(30)) { sms in
                try await self.leave(sms.to) { $0.sms.append(sms) }
            })
    }

    private func leave(_ address: String, _ note: (inout State) -> Void) async throws {
        await before?()
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            if state.failing == address { throw DeliveryFailure(reason: "refused", isPermanent: false) }
            note(&state)
        }
    }
}
