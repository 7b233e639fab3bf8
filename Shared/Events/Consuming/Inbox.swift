import Logging
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How far the events of a source have taken effect.
struct Cursor: Sendable, Equatable {
    /// The position through which they have.
    var position: Int64
    /// The id of the event there; nil when the cursor was set and not reached.
    var eventID: UUID?
}

/// The cursor of one source and the effects of its events: both change in one transaction, under the cursor's row lock.
struct Inbox: Sendable {
    let source: String
    let schema: String
    let postgres: PostgresClient
    let handlers: [String: EventConsumer.Handler]
    let settings: ConsumerSettings
    let metrics: ConsumerMetrics
    let logger: Logger

    /// What became of events that were to take effect.
    enum Outcome: Sendable {
        /// These took effect, and the cursor is here now.
        case applied([Event], Cursor)
        /// Nothing took effect: the cursor is not right before the first of them that is new, or beyond all of them.
        case elsewhere(Cursor)
        /// Nothing took effect: there is no cursor.
        case noCursor
    }

    /// Rolls back what has nothing to commit, so that no replica waits for the disk to say that another was first.
    private struct NothingToCommit: Error {
        var outcome: Outcome
    }

    // MARK: Cursor

    func cursor() async throws -> Cursor? {
        let rows = try await postgres.read(
            "SELECT position, event_id FROM \(unsafeRaw: schema).inbox_cursor WHERE source = \(source)")
        return try rows.first.map(Self.cursor)
    }

    private static func cursor(_ row: PostgresRow) throws -> Cursor {
        Cursor(position: try row.decode(column: 0), eventID: try row.decode(column: 1))
    }

    /// Sets the cursor if it still is what it was taken for: another replica may have been first.
    ///
    /// - Returns: whether it was set.
    @discardableResult
    func moveCursor(from old: Cursor?, to position: Int64) async throws -> Bool {
        guard let old else {
            return try await postgres.execute(
                """
                INSERT INTO \(unsafeRaw: schema).inbox_cursor (source, position) VALUES (\(source), \(position)) \
                ON CONFLICT (source) DO NOTHING
                """
            ).affected == 1
        }
        return try await postgres.execute(
            """
            UPDATE \(unsafeRaw: schema).inbox_cursor SET position = \(position), event_id = NULL \
            WHERE source = \(source) AND position = \(old.position) AND event_id IS NOT DISTINCT FROM \(old.eventID)
            """
        ).affected == 1
    }

    // MARK: Effects

    /// Makes events take effect, all in one transaction.
    ///
    /// - Parameter events: in the order of their positions, without a gap between them.
    /// - Throws: what a handler throws, `PostgresError`. Nothing took effect then, unless it is `outcomeUnknown`.
    func apply(_ events: [Event]) async throws -> Outcome {
        do {
            return try await postgres.withTransaction { transaction in
                guard let cursor = try await lockCursor(transaction) else { throw NothingToCommit(outcome: .noCursor) }
                let new = Array(events.drop { $0.position <= cursor.position })
                guard let first = new.first, let last = new.last, first.position == cursor.position + 1 else {
                    throw NothingToCommit(outcome: .elsewhere(cursor))
                }
                for event in new { try await handlers[event.type]?(event, transaction) }
                let reached = Cursor(position: last.position, eventID: last.id)
                try await set(reached, transaction)
                return .applied(new, reached)
            }
        } catch let nothing as NothingToCommit {
            return nothing.outcome
        }
    }

    /// Puts an event aside with the reason why it can't take effect, and goes on behind it.
    func park(_ entry: EventPage.Entry, reason: String) async throws -> Outcome {
        let text: String
        var eventID: UUID?
        switch entry {
        case .event(let event):
            text = String(buffer: event.envelope)
            eventID = event.id
        case .unreadable(_, let content, _):
            var json = JSONWriter()
            json.element(content)
            text = String(buffer: json.buffer)
        }
        let reached = Cursor(position: entry.position, eventID: eventID)
        do {
            return try await postgres.withTransaction { transaction in
                guard let cursor = try await lockCursor(transaction) else { throw NothingToCommit(outcome: .noCursor) }
                guard cursor.position == entry.position - 1 else { throw NothingToCommit(outcome: .elsewhere(cursor)) }
                try await transaction.execute(
                    """
                    INSERT INTO \(unsafeRaw: schema).inbox_parked (source, position, event, reason) \
                    VALUES (\(source), \(entry.position), \(text)::json, \(reason)) \
                    ON CONFLICT (source, position) DO UPDATE \
                    SET event = excluded.event, reason = excluded.reason, parked_at = excluded.parked_at
                    """)
                try await set(reached, transaction)
                return .applied([], reached)
            }
        } catch let nothing as NothingToCommit {
            return nothing.outcome
        }
    }

    /// Locks the cursor for the rest of the transaction. Should this process stand still while it holds the lock, the
    /// server ends the transaction, so that another replica can go on.
    private func lockCursor(_ transaction: PostgresTransaction) async throws -> Cursor? {
        let patience = "\(settings.silence.components.seconds * 1000)"
        let rows = try await transaction.execute(
            """
            SELECT position, event_id, set_config('idle_in_transaction_session_timeout', \(patience), true) \
            FROM \(unsafeRaw: schema).inbox_cursor WHERE source = \(source) FOR UPDATE
            """)
        return try rows.first.map(Self.cursor)
    }

    private func set(_ cursor: Cursor, _ transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            UPDATE \(unsafeRaw: schema).inbox_cursor SET position = \(cursor.position), event_id = \(cursor.eventID) \
            WHERE source = \(source)
            """)
    }
}
