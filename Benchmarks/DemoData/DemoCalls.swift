import Foundation
import Postgres
import ServiceKit

/// Puts call requests of the demo into the schema of calls, with the copies that calls keeps of users and heroes.
struct DemoCalls {
    let calls: PostgresClient

    private static let messages = [
        "Our build takes twenty minutes. Where would you start?", "I'd like a second opinion on our architecture.",
        "How do I get from junior to senior?", "We can't find a memory leak in production.",
        "Which database would you choose for this, and why?", "Could you look at my pull request with me?",
    ]

    /// An agreed call of the demo.
    private struct Agreed {
        var request: Int64
        var user: UUID
        var heroUser: UUID
    }

    private struct Rows {
        var requests = CopyRows()
        var suggestions = CopyRows()
        var times = CopyRows()
        var agreed: [Agreed] = []
    }

    /// Makes heroes and users known to calls, and a request of each customer to one hero, in every state that one can
    /// be in.
    func load(
        users: [DemoPerson], heroes: [(hero: DemoHero, id: Int64)], customers: [DemoPerson], now: Timestamp
    ) async throws {
        let ids = try await calls.ids(min(customers.count, heroes.count), of: "calls.requests")
        var rows = Rows()
        for (index, id) in ids.enumerated() {
            Self.write(index, id, customers[index], heroes[index], now, into: &rows)
        }
        let (all, known) = (rows, heroes.map { ($0.id, $0.hero.person.id, $0.hero.details.rateInCents) })
        try await calls.atOnce { connection in
            try await DemoCopies.insert(users, into: "calls.users", connection)
            try await connection.execute(
                """
                INSERT INTO calls.heroes (id, user_id, accepted, rate_in_cents, version)
                SELECT n.id, n.user_id, true, n.rate, 2
                FROM unnest(\(known.map(\.0)), \(known.map(\.1)), \(known.map { Int64($0.2) })) AS n (id, user_id, rate)
                ON CONFLICT (id) DO NOTHING
                """)
            try await connection.copy(
                all.requests,
                into: """
                    calls.requests (id, user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents, status,
                        reason, agreed_time, created, updated)
                    """)
            try await connection.copy(
                all.suggestions,
                into: "calls.suggestions (request_id, number, user_id, time_one, time_two, time_three, created)")
            try await connection.copy(all.times, into: "calls.suggested_times (request_id, time)")
            try await Self.book(all.agreed, connection)
        }
    }

    private static func write(
        _ index: Int, _ id: Int64, _ customer: DemoPerson, _ asked: (hero: DemoHero, id: Int64), _ now: Timestamp,
        into rows: inout Rows
    ) {
        // Within the last days, and not before the hero was there to be asked.
        let created = max(asked.hero.decided, now - .seconds(Int64(3600 + index * 977 % 900_000)))
        let status = ["o", "a", "d", "a"][index % 4]
        // On the hour, some days ahead.
        let hour = now.microseconds / 3_600_000_000 + 48 + Int64(index % 240)
        let times = (0..<3).map { Timestamp(microseconds: (hour + $0) * 3_600_000_000) }
        let isAgreed = index % 4 == 3
        rows.requests.number(id)
        rows.requests.id(customer.id)
        rows.requests.number(asked.id)
        rows.requests.id(asked.hero.person.id)
        rows.requests.text(messages[index % messages.count])
        rows.requests.number([15, 30, 45, 60][index / 4 % 4])
        rows.requests.number(asked.hero.details.rateInCents)
        rows.requests.text(status)
        rows.requests.text(status == "d" ? "Not my subject, sorry." : "")
        rows.requests.time(isAgreed ? times[0] : nil)
        rows.requests.time(created)
        rows.requests.time(status == "o" ? created : min(created + .seconds(1800), now))
        rows.requests.endRow()
        guard status == "a" else { return }
        rows.suggestions.number(id)
        rows.suggestions.number(1)
        rows.suggestions.id(asked.hero.person.id)
        for time in times { rows.suggestions.time(time) }
        rows.suggestions.time(min(created + .seconds(900), now))
        rows.suggestions.endRow()
        for time in times {
            rows.times.number(id)
            rows.times.time(time)
            rows.times.endRow()
        }
        if isAgreed {
            rows.agreed.append(Agreed(request: id, user: customer.id, heroUser: asked.hero.person.id))
        }
    }

    /// Nobody of the demo is in two calls, so their times can't overlap.
    private static func book(_ agreed: [Agreed], _ connection: PostgresConnection) async throws {
        let people = agreed.flatMap { [$0.user, $0.heroUser] }
        try await connection.execute(
            "INSERT INTO calls.people (id) SELECT unnest(\(people)) ON CONFLICT (id) DO NOTHING")
        try await connection.execute(
            """
            INSERT INTO calls.bookings (request_id, person, during)
            SELECT r.id, p.number, tstzrange(r.agreed_time, r.agreed_time + r.estimated_length * interval '1 minute')
            FROM calls.requests r JOIN calls.people p ON p.id IN (r.user_id, r.hero_user_id)
            WHERE r.id = ANY(\(agreed.map(\.request)))
            """)
    }
}
