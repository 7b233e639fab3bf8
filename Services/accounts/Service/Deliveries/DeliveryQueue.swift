import AccountsDomain
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where messages wait for the workers: rows of `accounts.deliveries`, written in the transaction of what they tell of.
final class DeliveryQueue: Sendable {
    private let seal: MessageSeal
    private let bells: [MessageChannel: Bell]

    /// Wakes one worker. Two calls that it has not heard yet are as good as one.
    private struct Bell: Sendable {
        let rings: AsyncStream<Void>
        let continuation: AsyncStream<Void>.Continuation

        init() {
            (rings, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }
    }

    init(seal: MessageSeal) {
        self.seal = seal
        bells = [.mail: Bell(), .sms: Bell()]
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
        try await add([(message, user)], event: event, notAfter: notAfter, at: now, in: transaction)
    }

    /// Queues the messages of one event, each for its user.
    func add(
        _ messages: [(message: Message, user: UUID)], event: UUID, notAfter: Instant?, at now: Instant,
        in transaction: PostgresTransaction
    ) async throws {
        // Far fewer parameters than the 65,535 that a statement may have.
        for start in stride(from: 0, to: messages.count, by: 100) {
            let rows = try messages[start..<min(start + 100, messages.count)].map { message, user -> SQL in
                """
                (\(event)::uuid, \(user)::uuid, \(message.channel.rawValue)::text, \(message.kind.rawValue)::text,
                    \(now)::timestamptz, \(notAfter)::timestamptz, \(try seal.seal(message))::bytea,
                    \(now)::timestamptz)
                """
            }
            _ = try await transaction.execute(
                """
                INSERT INTO accounts.deliveries
                    (event, recipient, channel, kind, next_attempt, not_after, payload, created)
                VALUES \(SQL.joined(rows, separator: ", "))
                ON CONFLICT ON CONSTRAINT deliveries_once DO NOTHING
                """)
        }
    }

    /// Does the work of ``add(_:to:event:notAfter:at:in:)`` and sends nothing.
    func addDecoy(_ message: Message, at now: Instant, in transaction: PostgresTransaction) async throws {
        let payload = try seal.seal(message)
        _ = try await transaction.execute(
            """
            INSERT INTO accounts.deliveries
                (event, recipient, channel, kind, state, next_attempt, payload, created, finished)
            VALUES (\(UUID()), \(UUID()), \(message.channel.rawValue), \(message.kind.rawValue), 'void', \(now),
                CASE WHEN false THEN \(payload)::bytea END, \(now), \(now))
            """)
    }

    /// Tells the workers of this process that something is waiting.
    func wake() {
        for channel in MessageChannel.allCases { wake(channel) }
    }

    /// Tells the worker of one channel.
    func wake(_ channel: MessageChannel) {
        bells[channel]?.continuation.yield()
    }

    /// Something may be waiting. For one reader.
    func rings(_ channel: MessageChannel) -> AsyncStream<Void> {
        bells[channel]?.rings ?? AsyncStream { $0.finish() }
    }

    /// Opens what ``add(_:to:event:notAfter:at:in:)`` sealed.
    func message(in payload: [UInt8]) throws -> Message {
        try seal.open(payload)
    }
}
