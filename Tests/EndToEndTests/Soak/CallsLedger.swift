import Synchronization

/// What was acknowledged to the callers of a soak, request by request, and what the database says of it.
final class CallsLedger: Sendable {
    private struct Entry: Hashable {
        var status = "o"
        /// As it was answered.
        var agreed = ""
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        var counts: [String: (won: Int, lost: Int)] = [:]
        var violations: [String] = []
        var later = 0
    }

    private let state = Mutex(State())

    func created(_ id: Int) {
        let isNew = state.withLock { $0.entries.updateValue(Entry(), forKey: id) == nil }
        if !isNew { violate("request \(id) was acknowledged twice") }
    }

    func decided(_ id: Int, _ status: String) { state.withLock { $0.entries[id]?.status = status } }
    func agreed(_ id: Int, _ time: String) { state.withLock { $0.entries[id]?.agreed = time } }

    func count(_ step: String, won: Int, lost: Int) {
        state.withLock { state in
            let before = state.counts[step] ?? (0, 0)
            state.counts[step] = (before.won + won, before.lost + lost)
        }
    }

    func wasToldToComeBack() { state.withLock { $0.later += 1 } }

    func violate(_ text: String) { state.withLock { if $0.violations.count < 20 { $0.violations.append(text) } } }

    /// What must not have happened.
    var violations: [String] { state.withLock { $0.violations } }

    /// Requests that were acknowledged.
    var requests: Int { state.withLock { $0.entries.count } }
    /// Agreements that were acknowledged.
    var agreements: Int { state.withLock { $0.entries.values.count { !$0.agreed.isEmpty } } }
    /// Answers.
    var answers: Int { state.withLock { $0.counts.values.reduce(0) { $0 + $1.won + $1.lost } } }

    /// How often somebody was answered 503 and asked again.
    var later: Int { state.withLock { $0.later } }

    /// Winners and losers of each step.
    var summary: String {
        state.withLock { $0.counts }.sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value.won) won \($0.value.lost) lost" }.joined(separator: ", ")
    }

    /// How many requests are otherwise in the database than was acknowledged, or are not there, or only there.
    func differences(_ stack: RunningStack) async throws -> Int {
        let rows = try await stack.sql(
            """
            SELECT id, status, coalesce(to_char(agreed_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')
            FROM calls.requests
            """)
        var stored: [Int: Entry] = [:]
        for row in rows.split(separator: "\n") {
            let cells = row.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard cells.count == 3, let id = Int(cells[0]) else { continue }
            stored[id] = Entry(status: cells[1], agreed: cells[2])
        }
        let entries = state.withLock { $0.entries }
        return entries.count { stored[$0.key] != $0.value } + stored.keys.count { entries[$0] == nil }
    }

    /// What the database itself must never hold, counted by a name for each.
    func impossible(_ stack: RunningStack) async throws -> [String: Int] {
        let counts = try await stack.sql(
            """
            -- Of the requests themselves, whatever the bookings say.
            WITH sides AS (
                SELECT id, user_id AS person, agreed_time AS begins, agreed_time + estimated_length * interval '1 minute' AS ends
                    FROM calls.requests WHERE agreed_time IS NOT NULL
                UNION ALL
                SELECT id, hero_user_id, agreed_time, agreed_time + estimated_length * interval '1 minute'
                    FROM calls.requests WHERE agreed_time IS NOT NULL
            ), neighbours AS (
                SELECT begins, max(ends) OVER (PARTITION BY person ORDER BY begins, id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy FROM sides
            )
            SELECT 'overlaps', count(*) FROM neighbours WHERE begins < busy
            UNION ALL
            SELECT 'pairs with two open', count(*) FROM (
                SELECT 1 FROM calls.requests WHERE status = 'o' GROUP BY user_id, hero_id HAVING count(*) > 1) pairs
            UNION ALL
            SELECT 'agreements without two bookings', count(*) FROM calls.requests r WHERE agreed_time IS NOT NULL
                AND (SELECT count(*) FROM calls.bookings b WHERE b.request_id = r.id) <> 2
            UNION ALL
            SELECT 'bookings of nothing', count(*) FROM calls.bookings b JOIN calls.requests r ON r.id = b.request_id
                WHERE r.agreed_time IS NULL
            UNION ALL
            SELECT 'requests without exactly their events', count(*) FROM (
                SELECT r.id FROM calls.requests r LEFT JOIN calls.outbox o ON o.subject = r.id::text
                GROUP BY r.id HAVING count(*) FILTER (WHERE type = 'call.requested') <> 1
                    OR count(*) FILTER (WHERE type = 'call.accepted') <> (r.status = 'a')::int
                    OR count(*) FILTER (WHERE type = 'call.declined') <> (r.status = 'd')::int
                    OR count(*) FILTER (WHERE type = 'call.time_agreed') <> (r.agreed_time IS NOT NULL)::int) wrong
            """)
        return counts.split(separator: "\n").reduce(into: [:]) { found, line in
            let cells = line.split(separator: "|")
            if cells.count == 2 { found[String(cells[0])] = Int(cells[1]) }
        }
    }
}
