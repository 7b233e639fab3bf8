import CallsDomain
import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct ReminderTests {
    private static func reminders(_ app: RunningCalls) async throws -> [String] {
        try await app.sql(
            "SELECT subject || ' ' || (data->>'agreed_time') FROM calls.outbox WHERE type = 'call.reminder_due' ORDER BY id"
        ).split(separator: "\n").map(String.init)
    }

    /// Until the workers have looked at least once more since now.
    private static func settle(_ app: RunningCalls) async throws {
        // A call that is due now is reminded of in the round that would have seen the others.
        let (cam, tom) = (app.person(), app.hero())
        let id = try await app.agreed(tom, as: cam, at: 2)
        app.clock.advance(minutes: 15)
        try await eventually("the next reminder") {
            try await reminders(app).contains { $0.hasPrefix("\(id) ") }
        }
    }

    @Test func `Both are reminded a quarter of an hour before, once, with several replicas`() async throws {
        try await RunningCalls.with(.init(replicas: 3)) { app async throws in
            var ids: [Int64] = []
            let time = app.quarter(8)
            for _ in 0..<5 { ids.append(try await app.agreed(app.hero(), as: app.person(), at: 8)) }
            _ = try await app.accepted(app.hero(), as: app.person(), first: 8)
            app.clock.advance(minutes: 60)
            try await Self.settle(app)
            #expect(try await Self.reminders(app).count == 1)
            app.clock.advance(minutes: 30)
            let expected = Set(ids.map { "\($0) \(time)" })
            try await eventually("all reminders") { Set(try await Self.reminders(app)).isSuperset(of: expected) }
            try await Self.settle(app)
            #expect(try await Self.reminders(app).filter { expected.contains($0) }.count == 5)
            #expect(
                try await app.sql("SELECT count(*) FROM calls.requests WHERE reminded IS NOT NULL") == "7")
        }
    }

    @Test func `A call agreed to later than that is reminded of at once, one that has begun never`() async throws {
        try await RunningCalls.with(.init(settings: ["REMINDER_MINUTES": "30"])) { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let soon = try await app.accepted(tom, as: cam, first: 3)
            app.clock.advance(minutes: 30)
            try await Self.settle(app)
            #expect(try await Self.reminders(app).count == 1)
            let late = try await app.accepted(tom, as: cam, first: 3)
            let time = app.agreeing(3)
            app.clock.advance(minutes: 30)
            #expect(try await app.send(.PATCH, "/\(late)/agreed-time", time, as: cam).status == 200)
            try await eventually("the reminder") { try await Self.reminders(app).count == 2 }
            #expect(try await app.show(soon, as: cam)["agreed_time"] == .null)
            // Nobody was there at the time: it is over.
            let missed = try await app.agreed(app.hero(), as: app.person(), at: 40)
            try await app.sql("UPDATE calls.requests SET agreed_time = created - interval '1 day' WHERE id = \(missed)")
            try await Self.settle(app)
            #expect(try await Self.reminders(app).count == 3)
            #expect(try await app.sql("SELECT reminded IS NULL FROM calls.requests WHERE id = \(missed)") == "t")
        }
    }

    @Test func `How many minutes before is a setting`() async throws {
        try await RunningCalls.with(.init(settings: ["REMINDER_MINUTES": "1440"])) { app async throws in
            let far = try await app.agreed(app.hero(), as: app.person(), at: 96 + 1)
            let near = try await app.agreed(app.hero(), as: app.person(), at: 96)
            try await eventually("the reminder") { try await Self.reminders(app).count == 1 }
            #expect(try await Self.reminders(app)[0].hasPrefix("\(near) "))
            app.clock.advance(minutes: 15)
            try await eventually("the other reminder") { try await Self.reminders(app).count == 2 }
            #expect(try await Self.reminders(app)[1].hasPrefix("\(far) "))
        }
    }

    @Test func `More than one statement takes are all reminded of, and a restart of Postgres loses none`() async throws
    {
        let postgres = try await TestPostgres.start()
        try await RunningCalls.with(.init(postgres: postgres, replicas: 2)) { app async throws in
            try await app.sql(
                """
                INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                    status, agreed_time, created, updated)
                SELECT gen_random_uuid(), n, gen_random_uuid(), 'm', 30, 100, 'a',
                    to_timestamp(\(app.clock.now.microseconds / 1_000_000)) + interval '60 minutes', now(), now()
                FROM generate_series(1, 1050) n
                """)
            try await postgres.stop(.immediate)
            app.clock.advance(minutes: 45)
            try await postgres.start()
            try await eventually(within: .seconds(30), "all reminders") { try await Self.reminders(app).count >= 1050 }
            try await Self.settle(app)
            #expect(try await Self.reminders(app).count == 1051)
            #expect(Set(try await Self.reminders(app)).count == 1051)
        }
        try await postgres.stop(.immediate)
    }
}
