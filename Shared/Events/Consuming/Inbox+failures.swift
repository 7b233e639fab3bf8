import Postgres
import ServiceKit

extension Inbox {
    /// Makes entries take effect; one that can't is tried again, alone, and at last put aside.
    ///
    /// - Parameters:
    ///   - entries: in the order of their positions, without a gap between them.
    ///   - halt: ends the tries.
    ///   - tell: is told each outcome as it comes.
    /// - Returns: false when it ended early: the cursor is not where it was thought, or the end was told.
    /// - Throws: what is no fault of an event: Postgres being away, above all.
    func apply(
        _ entries: ArraySlice<EventPage.Entry>, until halt: Halt, _ tell: (Outcome) async -> Void
    ) async throws -> Bool {
        var rest = entries
        while let first = rest.first {
            if halt.isSet || Task.isCancelled { return false }
            let outcome: Outcome
            switch first {
            case .event:
                let batch = rest.prefix(settings.batch).prefix { if case .event = $0 { true } else { false } }
                rest = rest.dropFirst(batch.count)
                let events = batch.compactMap { if case .event(let event) = $0 { event } else { nil } }
                do {
                    outcome = try await apply(events)
                } catch  where error.isOfTheEvent {
                    // One of them is to blame; alone they show which.
                    for event in events {
                        let outcome = try await applyAlone(event, until: halt)
                        await tell(outcome)
                        guard outcome.isOnTheWay(to: event.position) else { return false }
                    }
                    continue
                }
                await tell(outcome)
                guard outcome.isOnTheWay(to: events[events.count - 1].position) else { return false }
            case .unreadable(let position, _, let fault):
                rest = rest.dropFirst()
                outcome = try await putAside(first, reason: "\(fault)")
                await tell(outcome)
                guard outcome.isOnTheWay(to: position) else { return false }
            }
        }
        return true
    }

    private func applyAlone(_ event: Event, until halt: Halt) async throws -> Outcome {
        var backoff = Backoff(first: settings.retryPause, cap: .seconds(1))
        while true {
            do {
                return try await apply([event])
            } catch  where error.isOfTheEvent {
                let pause = backoff.next()
                if backoff.failures >= settings.attempts {
                    return try await putAside(.event(event), reason: String(String(describing: error).prefix(500)))
                }
                metrics.retries()
                await halt.pause(pause)
                // It is not parked for want of time; the next start tries again.
                if halt.isSet { throw CancellationError() }
            }
        }
    }

    private func putAside(_ entry: EventPage.Entry, reason: String) async throws -> Outcome {
        // NUL has no place in a text of Postgres.
        let reason = reason.replacing("\0", with: "")
        let outcome = try await park(entry, reason: reason)
        if case .applied = outcome {
            metrics.parkedOne()
            logger.error("event parked", metadata: ["position": "\(entry.position)", "reason": "\(reason)"])
        }
        return outcome
    }
}

extension Inbox.Outcome {
    /// Whether the cursor is at a position, or beyond it, so that what follows may take effect.
    func isOnTheWay(to position: Int64) -> Bool {
        switch self {
        case .applied(_, let cursor), .elsewhere(let cursor): cursor.position >= position
        case .noCursor: false
        }
    }
}

extension Error {
    /// Whether trying the same event again, with everything else well, would fail again: it is no outage, no collision
    /// with another transaction, and not the end of this process.
    var isOfTheEvent: Bool {
        switch self {
        case let error as PostgresError:
            switch error.code {
            case .unavailable, .poolExhausted, .timedOut, .cancelled, .connectionLost, .outcomeUnknown, .closed,
                .protocolViolation:
                false
            case .encoding, .decoding: true
            case .server, .transactionAborted: !Self.isOfTheServer(error.sqlState)
            }
        case let error as any UnavailableError: !error.isUnavailable
        case is CancellationError: false
        default: true
        }
    }

    /// SQLSTATEs that tell of the server's state (PostgreSQL, appendix A): connection, rollback of collisions,
    /// resources, lock and statement timeouts, system and internal errors, read-only after a failover; a table, column
    /// or right that is not there while a release is under way; and our own memory of its prepared statements. Not
    /// 25P02, which follows a failure that a handler has swallowed.
    private static func isOfTheServer(_ state: String?) -> Bool {
        guard let state else { return false }
        return state == "25006" || ["08", "26", "40", "42", "53", "55", "57", "58", "XX"].contains(state.prefix(2))
    }
}
