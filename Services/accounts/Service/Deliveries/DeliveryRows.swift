import AccountsDomain
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The rows of `accounts.deliveries` as a worker handles them. Each change is one statement, a transaction of its own.
struct DeliveryRows: Sendable {
    let postgres: PostgresClient

    /// A message that this process has claimed.
    struct Claimed: Sendable {
        var id: DeliveryID
        /// How often it was claimed, this time included. Whoever claims it later has another number.
        var attempts: Int
        var written: Instant
        var notAfter: Instant?
        var payload: [UInt8]
    }

    /// Claims what is due, oldest first.
    ///
    /// Only kinds that this release knows: while two releases run side by side, the other one's are the other one's.
    /// The array is made once; `IN` may be planned as a query for each row, and then claims more than is asked for.
    func claim(
        _ channel: MessageChannel, _ count: Int, except left: Set<Int64>, at now: Instant, until end: Instant
    ) async throws -> [Claimed] {
        let kinds = Message.Kind.allCases.map(\.rawValue)
        let rows = try await postgres.execute(
            """
            UPDATE accounts.deliveries SET attempts = attempts + 1, next_attempt = \(end)
            WHERE id = ANY (ARRAY(
                SELECT id FROM accounts.deliveries
                WHERE state = 'waiting' AND channel = \(channel.rawValue) AND next_attempt <= \(now)
                    AND kind = ANY(\(kinds)) AND id <> ALL(\(Array(left)))
                ORDER BY next_attempt LIMIT \(Int64(count)) FOR UPDATE SKIP LOCKED))
            RETURNING id, event, attempts, created, not_after, payload
            """)
        return try rows.decode((Int64, UUID, Int32, Instant, Instant?, [UInt8]?).self).map { row in
            Claimed(
                id: DeliveryID(number: row.0, event: row.1), attempts: Int(row.2), written: row.3, notAfter: row.4,
                payload: row.5 ?? [])
        }
    }

    /// Notes that a message has left, whoever has claimed it by now, and erases it.
    func left(_ id: Int64, at now: Instant) async throws {
        _ = try await postgres.execute(
            """
            UPDATE accounts.deliveries SET state = 'sent', payload = NULL, reason = NULL, finished = \(now)
            WHERE id = \(id) AND state IN ('waiting', 'parked')
            """)
    }

    /// Notes when to try again, unless somebody else has claimed the message since.
    func postpone(_ row: Claimed, to next: Instant, reason: String) async throws {
        _ = try await postgres.execute(
            """
            UPDATE accounts.deliveries SET next_attempt = \(next), reason = \(reason)
            WHERE id = \(row.id.number) AND state = 'waiting' AND attempts = \(Int32(row.attempts))
            """)
    }

    /// Gives a message up, unless somebody else has claimed it since. It stays sealed in its row for operators, who may
    /// have it tried again, but for one that would be of no more use.
    func park(_ row: Claimed, reason: String, at now: Instant) async throws {
        _ = try await postgres.execute(
            """
            UPDATE accounts.deliveries SET state = 'parked', reason = \(reason), finished = \(now),
                payload = CASE WHEN not_after <= \(now) THEN NULL ELSE payload END
            WHERE id = \(row.id.number) AND state = 'waiting' AND attempts = \(Int32(row.attempts))
            """)
    }
}
