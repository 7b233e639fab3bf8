import CallsDomain
import Events
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Calls {
    /// Writes a move that obeys the rules, with its event. What only the database sees is decided here: that an instant is
    /// suggested once, and that nobody is in two calls at a time.
    ///
    /// - Parameter stored: the request as the move has left it; the transaction has locked its row.
    func save(
        _ move: CallMove, of stored: StoredRequest, by user: UUID, _ trace: TraceContext,
        in transaction: PostgresTransaction
    ) async throws {
        do {
            switch move {
            case .accept, .suggest: try await saveNewest(stored, in: transaction)
            case .agree: try await book(stored, in: transaction)
            case .decline: break
            }
        } catch let error as PostgresError where error.constraint == "suggested_times_once" {
            throw Problem(.alreadySuggested)
        } catch let error as PostgresError where error.constraint == "bookings_never_overlap" {
            throw Problem(.alreadyBooked, "One of you has another call at that time.")
        }
        let event = CallEvent.event(of: move, stored, by: user, trace: trace)
        try await transaction.execute(
            """
            WITH published AS (\(outbox.insertion(event)))
            UPDATE calls.requests SET status = \(stored.call.status), reason = \(stored.call.reason),
                agreed_time = \(stored.call.agreedTime), updated = \(stored.updated)
            WHERE id = \(stored.id)
            """)
    }

    /// Gives the two people of a request the numbers that their bookings have, unless they have them.
    ///
    /// Before the transaction of an agreement, and only to who has none: a number that was drawn is used up even when
    /// the transaction that drew it is rolled back, and an agreement that is refused can be tried without end.
    func number(_ call: CallRequest) async throws {
        try await postgres.execute(
            """
            INSERT INTO calls.people (id)
            SELECT party FROM unnest(\(call.parties)) AS party
            WHERE NOT EXISTS (SELECT FROM calls.people WHERE id = party) ORDER BY party
            ON CONFLICT (id) DO NOTHING
            """)
    }

    private func saveNewest(_ stored: StoredRequest, in transaction: PostgresTransaction) async throws {
        guard let newest = stored.call.suggestions.last else { return }
        let times = newest.times
        try await transaction.execute(
            """
            WITH instants AS (
                INSERT INTO calls.suggested_times (request_id, time) SELECT \(stored.id), unnest(\(times.all))
            )
            INSERT INTO calls.suggestions (request_id, number, user_id, time_one, time_two, time_three, created)
            VALUES (\(stored.id), \(stored.call.suggestions.count), \(newest.by), \(times.one), \(times.two),
                \(times.three), \(newest.made))
            """)
    }

    private func book(_ stored: StoredRequest, in transaction: PostgresTransaction) async throws {
        guard let start = stored.call.agreedTime, let end = stored.call.agreedEnd else { return }
        // Locks both people, always in the same order: of two who book at once the second waits here, where neither can
        // wait for the other, and then meets the first one's booking.
        let numbers = try await transaction.execute(
            """
            SELECT number FROM calls.people WHERE id = ANY(\(stored.call.parties)) ORDER BY id FOR NO KEY UPDATE
            """
        ).decode(Int32.self)
        // A booking of one alone would leave the other free for another call.
        guard numbers.count == stored.call.parties.count else { throw PostgresError(.decoding, "no number") }
        try await transaction.execute(
            """
            INSERT INTO calls.bookings (request_id, person, during)
            SELECT \(stored.id), unnest(\(numbers)), tstzrange(\(start), \(end))
            """)
    }
}

extension CallRequest {
    fileprivate var parties: [UUID] { [requester, heroOwner] }
}
