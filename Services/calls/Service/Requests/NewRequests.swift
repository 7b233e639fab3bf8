import CallsDomain
import Events
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Stores requests as they come, those that come at the same time by one statement. It looks for their heroes, inserts the
/// rows and their events, and pays once for what costs most: the way to Postgres and the commit.
struct NewRequests: Sendable {
    /// What is to be stored. All that can be told without the hero is right.
    struct Entry: Sendable {
        let requester: UUID
        let heroID: Int64
        let message: String
        /// Minutes.
        let estimatedLength: Int64
        let created: Instant
        /// The W3C trace context of who asks.
        let traceparent: String
    }

    /// What Postgres has added.
    struct Stored: Sendable, Equatable {
        let id: Int64
        let heroOwner: UUID
    }

    /// Who asks whom.
    private struct Pair: Hashable {
        let requester: UUID
        let heroID: Int64
    }

    /// What became of an entry: nil when it was not stored.
    typealias Outcome = Result<Stored?, any Error>

    private let batcher: Batcher<Entry, Outcome>

    /// - Parameter executor: where the work is done; nil where all tasks run.
    init(_ postgres: PostgresClient, _ outbox: Outbox, executor: (any TaskExecutor)?) {
        // A batch that takes long waits for a server that is away, as each of its entries would.
        batcher = Batcher(most: 32, patience: .milliseconds(200), executor: executor) { entries in
            await Self.store(entries, postgres, outbox)
        }
    }

    /// Stores a request.
    ///
    /// - Returns: nil when it was not stored, and nothing is left of it: the hero can't be asked, or not by this user, or
    ///   isn't known here yet, or has an open request of this user; or the statement was refused for the sake of another
    ///   entry. A statement of its own tells.
    /// - Throws: `PostgresError` when Postgres can't be reached.
    func store(_ entry: Entry) async throws -> Stored? {
        try await batcher.outcome(of: entry).get()
    }

    /// - Returns: an outcome for each entry.
    static func store(_ entries: [Entry], _ postgres: PostgresClient, _ outbox: Outbox) async -> [Outcome] {
        // Of those who ask the same hero twice at once, the first.
        var firsts: [Pair: Int] = [:]
        for (index, entry) in entries.enumerated() where firsts[pair(entry)] == nil { firsts[pair(entry)] = index }
        let indices = firsts.values.sorted()
        var outcomes = [Outcome](repeating: .success(nil), count: entries.count)
        do {
            defer { outbox.committed() }
            for row in try await postgres.execute(insertion(of: indices.map { entries[$0] }, outbox)) {
                let (id, requester, heroID, owner) = try row.decode((Int64, UUID, Int64, UUID).self)
                guard let index = firsts[Pair(requester: requester, heroID: heroID)] else { continue }
                outcomes[index] = .success(Stored(id: id, heroOwner: owner))
            }
        } catch let error as PostgresError where error.isOfOneEntry {
            // Each is told by itself.
        } catch {
            for index in indices { outcomes[index] = .failure(error) }
        }
        return outcomes
    }

    private static func pair(_ entry: Entry) -> Pair { Pair(requester: entry.requester, heroID: entry.heroID) }

    /// The statement that stores entries, each of another pair, and their events. It gives the ids, and who asks whom.
    ///
    /// The rules of `NewCallRequest` that are about the hero stand in its WHERE.
    static func insertion(of entries: [Entry], _ outbox: Outbox) -> SQL {
        guard entries.count == 1, let entry = entries.first else { return insertion(ofMany: entries, outbox) }
        // One alone needs none of what many do, which costs half as much again. That it conflicts is an error then.
        let rows: SQL = """
            SELECT \(entry.requester)::uuid, id, user_id, \(entry.message)::text, \(entry.estimatedLength)::bigint,
                rate_in_cents, \(entry.created)::timestamptz, \(entry.created)::timestamptz
            FROM calls.heroes WHERE id = \(entry.heroID) AND accepted AND user_id <> \(entry.requester)
            """
        let event = event(outbox, traceparent: "\(entry.traceparent)", from: "created")
        return "WITH \(created(rows)), published AS (\(event)) \(result)"
    }

    /// What is conflicting is left out and not refused, so that it hinders no other. Where that can't be told yet, since
    /// a transaction that is under way has a request of the same pair, the whole statement is given up in a moment: its
    /// other entries must not wait for that transaction.
    ///
    /// Pairs are inserted in their order, so that two replicas whose batches have pairs in common wait for each other one
    /// way only.
    private static func insertion(ofMany entries: [Entry], _ outbox: Outbox) -> SQL {
        let rows: SQL = """
            SELECT asked.user_id, hero.id, hero.user_id, message, length, rate_in_cents, time, time
            FROM asked
                CROSS JOIN LATERAL (SELECT * FROM calls.heroes WHERE id = asked.hero_id OFFSET 0) hero
                CROSS JOIN set_config('lock_timeout', '50ms', true)
            WHERE accepted AND hero.user_id <> asked.user_id
            ORDER BY asked.user_id, hero.id
            ON CONFLICT (user_id, hero_id) WHERE status = 'o' DO NOTHING
            """
        let event = event(outbox, traceparent: "traceparent", from: "created JOIN asked USING (user_id, hero_id)")
        return """
            WITH asked AS MATERIALIZED (
                SELECT * FROM unnest(
                    \(entries.map(\.requester)), \(entries.map(\.heroID)), \(entries.map(\.message)),
                    \(entries.map(\.estimatedLength)), \(entries.map(\.created)), \(entries.map(\.traceparent))
                ) AS entries (user_id, hero_id, message, length, time, traceparent)
            ), \(created(rows)), published AS (\(event)) \(result)
            """
    }

    private static func created(_ rows: SQL) -> SQL {
        """
        created AS (
            INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                created, updated)
            \(rows)
            RETURNING id, user_id, hero_id, hero_user_id, status, estimated_length
        )
        """
    }

    private static func event(_ outbox: Outbox, traceparent: SQL, from rows: SQL) -> SQL {
        outbox.insertion(
            "call.requested", subject: "id::text", recipients: "ARRAY[user_id, hero_user_id]",
            data: CallEvent.dataOfRow, traceparent: traceparent, from: rows)
    }

    private static let result: SQL = "SELECT id, user_id, hero_id, hero_user_id FROM created"
}

extension PostgresError {
    /// Whether all may have been refused for what one of them holds, or meets.
    fileprivate var isOfOneEntry: Bool {
        code == .encoding || code == .server && !isUnavailable
    }
}
