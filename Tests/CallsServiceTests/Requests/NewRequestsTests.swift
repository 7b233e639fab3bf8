import CallsDomain
import Events
import Foundation
import Identity
import Postgres
import TestKit
import Testing

@testable import CallsService

@Suite struct NewRequestsTests {
    private static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"

    /// Heroes 1 to 9 of the database; 8 is not accepted.
    private static func owner(_ heroID: Int64) -> UUID {
        UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(heroID)))
    }

    private static func entry(
        _ heroID: Int64, by requester: UUID = UUID(), message: String = "Help", length: Int64 = 30, trace: Int = 0
    ) -> NewRequests.Entry {
        NewRequests.Entry(
            requester: requester, heroID: heroID, message: message, estimatedLength: length,
            created: Instant(microseconds: 1_800_000_000_000_000 + heroID), traceparent: "\(traceparent)\(trace)")
    }

    private typealias Store = @Sendable ([NewRequests.Entry]) async throws -> [NewRequests.Stored?]

    /// Runs `body` with what stores a batch.
    private static func with(_ body: @Sendable (RunningCalls, Store) async throws -> Void) async throws {
        try await RunningCalls.with { app in
            try await app.sql(
                """
                INSERT INTO calls.heroes SELECT n, ('00000000-0000-0000-0000-00000000000' || n)::uuid, n <> 8, n * 100, 1
                FROM generate_series(1, 9) n
                """)
            try await app.withClient { client in
                let outbox = Outbox(service: CallsSchema.name)
                try await body(app) { entries in
                    try await NewRequests.store(entries, client, outbox).map { try $0.get() }
                }
            }
        }
    }

    @Test func `what can be stored is, with its event, whatever is wrong with the others`() async throws {
        try await Self.with { app, store in
            let ada = UUID()
            _ = try await store([Self.entry(4, by: ada)])
            let entries = [
                Self.entry(1, message: "first", length: 15, trace: 1),
                Self.entry(7, by: Self.owner(7)),
                Self.entry(4, by: ada),
                Self.entry(8),
                Self.entry(99),
                Self.entry(5, by: ada, message: "fünf \"5\" {5}", length: 120, trace: 2),
                Self.entry(5, by: ada, message: "again"),
                Self.entry(1, message: "third", trace: 3),
            ]
            let stored = try await store(entries)
            #expect(stored.map { $0 != nil } == [true, false, false, false, false, true, false, true])
            #expect(stored.compactMap { $0?.heroOwner } == [1, 5, 1].map(Self.owner))
            #expect(try await app.sql("SELECT count(*) FROM calls.requests") == "4")
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == "4")
            for (entry, stored) in zip(entries, stored) {
                guard let id = stored?.id else { continue }
                let row = try await app.sql(
                    """
                    SELECT user_id, hero_id, message, estimated_length, rate_in_cents, status,
                        extract(epoch FROM created) * 1000000, created = updated FROM calls.requests WHERE id = \(id)
                    """)
                #expect(
                    row == """
                        \(entry.requester.text)|\(entry.heroID)|\(entry.message)|\(entry.estimatedLength)|\
                        \(entry.heroID * 100)|o|\(entry.created.microseconds).000000|t
                        """)
                let event = try await app.sql(
                    """
                    SELECT type, recipients, traceparent, data->>'user', data->>'estimated_length' FROM calls.outbox
                    WHERE subject = '\(id)'
                    """)
                #expect(
                    event == """
                        call.requested|{\(entry.requester.text),\(Self.owner(entry.heroID).text)}|\(entry.traceparent)|\
                        \(entry.requester.text)|\(entry.estimatedLength)
                        """)
            }
        }
    }

    @Test func `what Postgres refuses leaves nothing, and each is told to try alone`() async throws {
        try await Self.with { app, store in
            for wrong in [Self.entry(2, length: 17), Self.entry(2, message: "\0")] {
                let stored = try await store([Self.entry(1), wrong, Self.entry(3)])
                #expect(stored == [nil, nil, nil])
            }
            #expect(try await app.sql("SELECT count(*) FROM calls.requests") == "0")
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == "0")
        }
    }

    @Test func `one alone is stored as among others, or left to be tried by itself`() async throws {
        try await Self.with { app, store in
            let ada = UUID()
            let entry = Self.entry(3, by: ada, message: "alone", length: 45, trace: 9)
            let stored = try #require(try await store([entry]).first ?? nil)
            #expect(stored.heroOwner == Self.owner(3))
            let row = try await app.sql(
                """
                SELECT r.user_id, hero_id, message, estimated_length, rate_in_cents, status, r.created = updated,
                    subject, traceparent, data->>'hero' FROM calls.requests r, calls.outbox WHERE r.id = \(stored.id)
                """)
            #expect(
                row == """
                    \(ada.text)|3|alone|45|300|o|t|\(stored.id)|\(entry.traceparent)|3
                    """)
            for wrong in [
                entry, Self.entry(7, by: Self.owner(7)), Self.entry(8), Self.entry(99), Self.entry(1, length: 17),
            ] {
                let stored = try await store([wrong])
                #expect(stored == [nil])
            }
            #expect(try await app.sql("SELECT count(*) FROM calls.requests") == "1")
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == "1")
        }
    }

    @Test func `a transaction that has a pair does not hold up the others`() async throws {
        try await Self.with { app, store in
            let (cam, hero) = (app.person(), Int64(1))
            let asking = RunningCalls.asking(hero)
            let held = try await app.withClient { client in
                try await client.withTransaction { transaction in
                    try await transaction.execute(
                        """
                        INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length,
                            rate_in_cents, created, updated)
                        VALUES (\(cam.id), \(hero), \(Self.owner(hero)), 'm', 30, 100, now(), now())
                        """)
                    let together = try await store([Self.entry(2), Self.entry(hero, by: cam.id), Self.entry(3)])
                    #expect(together == [nil, nil, nil])
                    let held = Task { try await app.send(.POST, "", asking, as: cam) }
                    let others = try await all(Array(0..<20)) { _ in
                        try await app.send(.POST, "", asking, as: app.person())
                    }
                    #expect(others.statuses == [200: 20], "\(others)")
                    // By itself it waits as long as it must.
                    try await eventually("the pair is waited for") { try await app.waiting() == "1" }
                    return held
                }
            }
            let last = try await held.value
            #expect(last.has(.conflict), "\(last)")
            #expect(try await app.sql("SELECT count(*) FROM calls.requests") == "21")
        }
    }

    @Test func `many who ask at once, of two replicas, are all told the truth`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app in
            let (heroes, people) = ((0..<4).map { _ in app.hero() }, (0..<30).map { _ in app.person() })
            // Each pair twice, at different replicas, and some who can't ask.
            var asks: [(who: Claims.User, whom: Int64, replica: Int)] = []
            for (index, person) in people.enumerated() {
                for replica in 0...1 { asks.append((person, heroes[index % 4].id, replica)) }
            }
            for hero in heroes { asks.append((hero.user, hero.id, 0)) }
            let all = asks
            let answers = try await CallsServiceTests.all(Array(all.indices)) { index in
                try await app.send(
                    .POST, "", RunningCalls.asking(all[index].whom), as: all[index].who, replica: all[index].replica)
            }
            #expect(answers.statuses == [200: 30, 409: 30, 400: 4], "\(answers)")
            for (ask, answer) in zip(all, answers) where answer.status == 200 {
                #expect(answer.text("user") == ask.who.id.text && answer.integer("hero") == ask.whom)
            }
            let acknowledged = answers.filter { $0.status == 200 }.map(\.id).sorted()
            let stored = try await app.sql("SELECT id FROM calls.requests ORDER BY id").split(separator: "\n")
            #expect(stored.compactMap { Int64($0) } == acknowledged)
            let told = try await app.sql("SELECT subject FROM calls.outbox ORDER BY subject::bigint")
                .split(separator: "\n")
            #expect(told.compactMap { Int64($0) } == acknowledged)
        }
    }
}
