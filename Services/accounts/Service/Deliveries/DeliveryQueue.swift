import AccountsDomain
import Postgres
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where messages wait for the worker: rows of `accounts.deliveries`, written in the transaction of what they tell of.
final class DeliveryQueue: Sendable {
    private let seal: MessageSeal
    private let continuation: AsyncStream<Void>.Continuation
    /// Something may be waiting. For one reader.
    let wakeUps: AsyncStream<Void>

    init(seal: MessageSeal) {
        self.seal = seal
        // Two calls that nobody has heard yet are as good as one.
        (wakeUps, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Queues a message for a user. The worker is told by ``wake()`` once the transaction has committed, or finds it by
    /// itself a little later.
    ///
    /// - Parameters:
    ///   - event: what happened; a message is sent once for each event, user and channel.
    ///   - notAfter: when it would be of no more use.
    func add(
        _ message: Message, to user: UUID, event: UUID = UUID(), notAfter: Instant? = nil, at now: Instant,
        in transaction: PostgresTransaction
    ) async throws {
        try await insert(message, user, event, "waiting", notAfter, now, transaction)
    }

    /// Does the work of ``add(_:to:event:notAfter:at:in:)`` and sends nothing.
    func addDecoy(_ message: Message, at now: Instant, in transaction: PostgresTransaction) async throws {
        try await insert(message, UUID(), UUID(), "void", now, now, transaction)
    }

    private func insert(
        _ message: Message, _ user: UUID, _ event: UUID, _ state: String, _ notAfter: Instant?, _ now: Instant,
        _ transaction: PostgresTransaction
    ) async throws {
        let payload = try seal.seal(message)
        let finished = state == "waiting" ? nil : now
        _ = try await transaction.execute(
            """
            INSERT INTO accounts.deliveries
                (event, recipient, channel, kind, state, next_attempt, not_after, payload, created, finished)
            VALUES (\(event), \(user), \(message.channel.rawValue), \(message.kind.rawValue), \(state), \(now),
                \(notAfter), CASE WHEN \(state) = 'waiting' THEN \(payload)::bytea END, \(now), \(finished))
            ON CONFLICT ON CONSTRAINT deliveries_once DO NOTHING
            """)
    }

    /// Tells the worker of this process that something is waiting.
    func wake() {
        continuation.yield()
    }

    /// Opens what ``add(_:to:event:notAfter:at:in:)`` sealed.
    func message(in payload: [UInt8]) throws -> Message {
        try seal.open(payload)
    }
}
