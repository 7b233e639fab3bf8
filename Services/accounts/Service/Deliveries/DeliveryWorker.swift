import AccountsDomain
import Logging
import Metrics
import Postgres
import ServiceLifecycle

/// Sends what waits in `accounts.deliveries`, beside any number of other workers.
///
/// A row is claimed by moving its next attempt past the time a try may take: a worker that dies lets go of it by doing
/// nothing. So a message leaves at least once, and its number tells a second time from another message.
struct DeliveryWorker: Service {
    let queue: DeliveryQueue
    let postgres: PostgresClient
    let templates: MessageTemplates
    let transports: Transports
    let logger: Logger
    let now: @Sendable () -> Instant
    var schedule = RetrySchedule()
    var pollInterval: Duration = .seconds(1)
    /// How long a try may take.
    var claim: Duration = .seconds(60)
    var batch = 16

    private let sent = Counter(label: "deliveries_total", dimensions: [("outcome", "sent")])
    private let failed = Counter(label: "deliveries_total", dimensions: [("outcome", "failed")])
    private let parked = Counter(label: "deliveries_total", dimensions: [("outcome", "parked")])

    init(
        queue: DeliveryQueue, postgres: PostgresClient, templates: MessageTemplates, transports: Transports,
        logger: Logger, now: @escaping @Sendable () -> Instant
    ) {
        self.queue = queue
        self.postgres = postgres
        self.templates = templates
        self.transports = transports
        self.logger = logger
        self.now = now
    }

    private struct Delivery: Sendable {
        var id: Int64
        var attempts: Int
        var notAfter: Instant?
        var payload: [UInt8]
    }

    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask {
                await cancelWhenGracefulShutdown {
                    while !Task.isCancelled {
                        queue.wake()
                        try? await Task.sleep(for: pollInterval)
                    }
                }
            }
            // What is being sent when the process is told to end is sent to its end.
            await withGracefulShutdownHandler {
                var failing = false
                for await _ in queue.wakeUps {
                    do {
                        while try await sendDue() > 0, !Task.isShuttingDownGracefully {}
                        failing = false
                    } catch {
                        if !failing { logger.warning("deliveries wait", metadata: ["error": "\(error)"]) }
                        failing = true
                    }
                    if Task.isShuttingDownGracefully || Task.isCancelled { return }
                }
            } onGracefulShutdown: {
                queue.wake()
            }
        }
    }

    /// Sends what is due.
    ///
    /// - Returns: how many messages were tried.
    func sendDue() async throws -> Int {
        let now = now()
        let rows = try await postgres.execute(
            """
            UPDATE accounts.deliveries SET attempts = attempts + 1, next_attempt = \(now.advanced(by: claim))
            WHERE id IN (
                SELECT id FROM accounts.deliveries WHERE state = 'waiting' AND next_attempt <= \(now)
                ORDER BY next_attempt LIMIT \(batch) FOR UPDATE SKIP LOCKED)
            RETURNING id, attempts, not_after, payload
            """)
        let deliveries = try rows.decode((Int64, Int32, Instant?, [UInt8]).self)
            .map { Delivery(id: $0.0, attempts: Int($0.1), notAfter: $0.2, payload: $0.3) }
        try await withThrowingDiscardingTaskGroup { group in
            for delivery in deliveries {
                group.addTask { try await attempt(delivery) }
            }
        }
        return deliveries.count
    }

    private func attempt(_ delivery: Delivery) async throws {
        let now = now()
        do {
            if let notAfter = delivery.notAfter, notAfter <= now {
                throw DeliveryFailure(reason: "too late to be of use", isPermanent: true)
            }
            try await send(delivery, at: now)
        } catch {
            let failure =
                error as? DeliveryFailure
                ?? DeliveryFailure(reason: "\(type(of: error))", isPermanent: error is DecodingError)
            return try await fail(delivery, failure, at: now)
        }
        sent.increment()
        _ = try await postgres.execute(
            """
            UPDATE accounts.deliveries SET state = 'sent', payload = NULL, reason = NULL, finished = \(now)
            WHERE id = \(delivery.id)
            """)
    }

    private func send(_ delivery: Delivery, at now: Instant) async throws {
        let message: Message
        do {
            message = try queue.message(in: delivery.payload)
        } catch {
            // Sealed with another key: SECRET_KEY was changed meanwhile.
            throw DeliveryFailure(reason: "can't be opened", isPermanent: true)
        }
        if let mail = templates.mail(message, number: delivery.id, at: now) {
            try await transports.mail(mail)
        } else if let sms = templates.sms(message, number: delivery.id, at: now) {
            try await transports.sms(sms)
        } else {
            throw DeliveryFailure(reason: "no template", isPermanent: true)
        }
    }

    private func fail(_ delivery: Delivery, _ failure: DeliveryFailure, at now: Instant) async throws {
        let wait =
            failure.isPermanent
            ? nil : schedule.wait(afterTries: delivery.attempts, random: .random(in: 0..<1))
        let metadata: Logger.Metadata = ["delivery": "\(delivery.id)", "reason": "\(failure.reason)"]
        if let wait {
            failed.increment()
            logger.info("delivery failed", metadata: metadata)
            _ = try await postgres.execute(
                """
                UPDATE accounts.deliveries SET next_attempt = \(now.advanced(by: wait)), reason = \(failure.reason)
                WHERE id = \(delivery.id)
                """)
        } else {
            parked.increment()
            logger.error("delivery given up", metadata: metadata)
            _ = try await postgres.execute(
                """
                UPDATE accounts.deliveries
                SET state = 'parked', payload = NULL, reason = \(failure.reason), finished = \(now)
                WHERE id = \(delivery.id)
                """)
        }
    }
}
