import Foundation
import TestKit
import Testing

@Suite("calls, as its operators meet it") struct CallsOperationTests {
    @Test func `rebuild fills lost copies beside running replicas, and fails while an owner is away`() async throws {
        let stack = try await RunningStack.start()
        let staff = try await stack.staff()
        let hero = try await stack.hero(acceptedBy: staff)
        let count =
            "SELECT (SELECT count(*) FROM calls.users) || ' ' || (SELECT count(*) FROM calls.heroes WHERE accepted)"
        try await eventually("the copies of both") { try await stack.sql(count) == "2 1" }
        try await stack.sql("DELETE FROM calls.users; DELETE FROM calls.heroes")
        try await stack.command(.calls, ["rebuild"])
        #expect(try await stack.sql(count) == "2 1")
        // Everything is there again without anybody being asked.
        for process in stack.replicas(of: .heroes) { try await process.terminate() }
        let cam = try await stack.customer()
        let body = #"{"hero_id": \#(try #require(hero.hero)), "message": "Help", "estimated_length": 30}"#
        _ = try await stack.asked(.POST, "/api/v1/call-requests", cam, body)
        await #expect(throws: CommandFailed.self) { try await stack.command(.calls, ["rebuild"]) }
        // Nothing was lost by the one that failed.
        #expect(try await stack.sql("SELECT count(*) FROM calls.heroes WHERE accepted") == "1")
        try await stack.end()
    }

    @Test func `health tells a ready process from one that is not`() async throws {
        let stack = try await RunningStack.start()
        try await eventually(within: .seconds(30), "ready") {
            try await stack.command(.calls, ["health"]).contains("ready")
        }
        try await stack.postgres.stop()
        try await eventually(within: .seconds(30), "not ready without Postgres") {
            do {
                try await stack.command(.calls, ["health"])
                return false
            } catch is CommandFailed {
                return true
            }
        }
        try await stack.postgres.start()
        try await eventually(within: .seconds(30), "ready again") {
            try await stack.command(.calls, ["health"]).contains("ready")
        }
        for process in stack.replicas(of: .calls) { try await process.terminate() }
        await #expect(throws: CommandFailed.self) { try await stack.command(.calls, ["health"]) }
        try await stack.end()
    }

    @Test func `reminders come once, whatever is killed and restarted in between`() async throws {
        let stack = try await RunningStack.start([.calls: 2])
        let staff = try await stack.staff()
        let hero = try await stack.hero(acceptedBy: staff)
        let cam = try await stack.customer()
        for person in [cam, hero] {
            _ = try await stack.asked(.PATCH, "/api/v1/accounts/profile", person, #"{"email_notifications": true}"#)
        }
        let (batches, size) = (6, 60)
        for batch in 0..<batches {
            // Calls that begin in some minutes: they are reminded of as soon as a worker sees them.
            try await stack.sql(
                """
                INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                    status, agreed_time, created, updated)
                SELECT '\(cam.id)', \(try #require(hero.hero)), '\(hero.id)', 'Help', 15, 100, 'a',
                    now() + interval '10 minutes', now(), now() FROM generate_series(1, \(size))
                """)
            // In the middle of it one dies, the servers go, and it is back.
            try await stack.replicas(of: .calls)[batch % 2].kill9()
            if batch == 2 { try await stack.postgres.restart(.immediate) }
            if batch == 4 { try await stack.redis.restart() }
            try await stack.start(.calls)
        }
        let reminders =
            "SELECT count(*) || ' ' || count(DISTINCT subject) FROM calls.outbox WHERE type = 'call.reminder_due'"
        let all = batches * size
        try await eventually(within: .seconds(60), "all reminders") {
            try await stack.sql(reminders).hasPrefix("\(all) ")
        }
        // By mail to both and by SMS to the one who has a phone, once for each call.
        let messages = """
            SELECT count(*) || ' ' || count(DISTINCT (event, recipient, channel)) FROM accounts.deliveries
            WHERE event IN (SELECT event_id FROM calls.outbox WHERE type = 'call.reminder_due')
            """
        try await eventually(within: .seconds(60), "all messages") {
            (Int(try await stack.sql(messages).prefix { $0 != " " }) ?? 0) >= all * 3
        }
        // Every replica has looked again since.
        for index in 0..<2 {
            #expect(try await stack.replicas(of: .calls)[index].terminate() == 0)
            try await stack.start(.calls)
        }
        #expect(try await stack.sql(reminders) == "\(all) \(all)")
        #expect(try await stack.sql(messages) == "\(all * 3) \(all * 3)")
        try await stack.end()
    }
}
