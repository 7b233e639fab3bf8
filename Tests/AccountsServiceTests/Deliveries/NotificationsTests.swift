import AccountsDomain
import Events
import Foundation
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

/// What a user is told, as the row of the delivery has it once it is opened.
struct Told: Hashable, Comparable, CustomStringConvertible {
    var to: String
    var kind: String

    static func < (left: Told, right: Told) -> Bool { (left.to, left.kind) < (right.to, right.kind) }

    var description: String { "\(kind) to \(to)" }
}

extension Deliveries {
    // Those of the samples.
    static let caller = "fd6494d8-e684-4f4b-960c-c83f56d1d790"
    static let hero = "b6513c6f-e3b5-4c00-ae10-1b78950d8c8a"
    static let applicant = "085e8bbf-4430-4df8-9233-8269b52bd4bf"

    /// A caller with a phone who wants nothing that isn't essential, a hero without a phone who does, one who applies, and
    /// two of staff.
    func people() async throws {
        try await sql(
            """
            INSERT INTO accounts.users (id, first_name, last_name, email, email_verified, email_notifications, phone,
                phone_verified, timezone, is_staff, password_hash, created, updated) VALUES
            ('\(Self.caller)', 'Cam', 'Newton', 'caller@b.co', true, false, '2345678901', true, 'Asia/Kathmandu',
                false, '', now(), now()),
            ('\(Self.hero)', 'Tom', 'Brady', 'hero@b.co', true, true, NULL, false, 'America/Chicago',
                false, '', now(), now()),
            ('\(Self.applicant)', 'Eve', 'New', 'applicant@b.co', true, true, '4567890123', true, 'UTC', false, '',
                now(), now()),
            (gen_random_uuid(), 'Ada', 'One', 'staff1@b.co', true, false, NULL, false, 'UTC', true, '', now(), now()),
            (gen_random_uuid(), 'Bob', 'Two', 'staff2@b.co', false, true, '3456789012', true, 'UTC', true, '', now(),
                now());
            """)
    }

    /// The sample that the producer keeps of an event, perhaps with other data.
    static func event(_ type: String, _ changes: [String: JSONValue?] = [:], id: UUID? = nil) throws -> Event {
        let source = type.hasPrefix("call") ? "calls" : "heroes"
        var event = try Event(try EventSchema.sample(service: source, type: type))
        for (member, value) in changes { event.data[member] = value }
        guard let id else { return event }
        return Event(
            position: event.position, id: id, source: event.source, type: event.type, subject: event.subject,
            recipients: event.recipients, time: event.time, data: event.data)
    }

    /// Does what the consumer does with an event.
    func consume(_ event: Event) async throws {
        let notifications = Notifications(queue: queue, now: { clock.now })
        guard let handler = notifications.handlers(for: event.source)[event.type] else {
            throw TestFailure("nobody handles \(event.type)")
        }
        try await client.withTransaction { try await handler(event, $0) }
    }

    func messages() async throws -> [Message] {
        try await client.read("SELECT payload FROM accounts.deliveries ORDER BY id").decode([UInt8].self)
            .map(queue.message)
    }

    func told() async throws -> [Told] {
        try await messages().map { Told(to: $0.to, kind: $0.kind.rawValue) }.sorted()
    }
}

@Suite("Events of heroes and calls become messages")
struct NotificationsTests {
    /// A row of the contract's table, for what happens at heroes and calls.
    struct Row: Sendable, CustomTestStringConvertible {
        var type: String
        var changes: [String: JSONValue?]
        var told: [Told]

        init(_ type: String, _ changes: [String: JSONValue?] = [:], _ told: (to: String, kind: String)...) {
            self.type = type
            self.changes = changes
            self.told = told.map { Told(to: $0.to, kind: $0.kind) }
        }

        var testDescription: String { type + (changes.isEmpty ? "" : " by the other party") }
    }

    static let table = [
        Row("hero.applied", [:], ("staff1@b.co", "hero-applied"), ("staff2@b.co", "hero-applied")),
        Row("hero.accepted", [:], ("applicant@b.co", "hero-accepted")),
        Row("hero.declined", [:], ("applicant@b.co", "hero-declined")),
        Row("call.requested", [:], ("hero@b.co", "call-requested")),
        Row("call.accepted", [:], ("caller@b.co", "call-accepted")),
        Row("call.declined", [:], ("caller@b.co", "call-declined")),
        Row("call.times_suggested", [:], ("hero@b.co", "times-suggested")),
        Row("call.times_suggested", ["by": .string(Deliveries.hero)], ("caller@b.co", "times-suggested")),
        Row("call.time_agreed", [:], ("caller@b.co", "time-agreed"), ("hero@b.co", "time-agreed")),
        Row("call.reminder_due", [:], ("2345678901", "call-reminder-sms"), ("hero@b.co", "call-reminder")),
    ]

    @Test("Each tells whom the contract says, once, however often it comes", arguments: table)
    func tells(row: Row) async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            let event = try Deliveries.event(row.type, row.changes)
            for _ in 0..<2 {
                try await deliveries.consume(event)
                #expect(try await deliveries.told() == row.told)
            }
            // Another event of the same kind is another message.
            try await deliveries.consume(try Deliveries.event(row.type, row.changes, id: UUID()))
            #expect(try await deliveries.told().count == 2 * row.told.count)
        }
    }

    @Test("The table has every type, every type has a handler, and no sample is left out but of what tells nobody")
    func types() throws {
        #expect(Set(Self.table.map(\.type)) == Set(Occasion.types.values.joined()))
        let samples = try ["heroes", "calls"].flatMap { try EventSchema.types(of: $0) }
        #expect(Set(samples).subtracting(Self.table.map(\.type)) == ["hero.updated"])
    }

    @Test("What happens to accounts itself tells whom the contract says")
    func own() async throws {
        try await RunningAccounts.with { app in
            let (old, new) = (RunningAccounts.address(), RunningAccounts.address())
            // Registered: the new address.
            let person = try await app.member(email: old)
            #expect(try app.mails(to: old).count == 1)
            // Email changed: the new address. Verified: the old one.
            _ = try await app.patch(#"{"email":"\#(new)"}"#, token: person.token)
            let code = try await app.mailedCode(to: new, "verify-email")
            #expect(try app.mails(to: old).count == 1)
            #expect(try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status == 200)
            try await TestKitPolling.until("the old address is told") { try app.mails(to: old).count == 2 }
            #expect(try app.mails(to: old)[1].contains("verify-email") == false)
            // Phone changed: the new number, with the code.
            _ = try await app.patch(#"{"phone":"2345678901"}"#, token: person.token)
            let digits = try await app.smsCode(to: "2345678901")
            #expect(digits.count == 6)
            #expect(try await app.post("/verify-phone", #"{"token":"\#(digits)"}"#, token: person.token).status == 200)
            // Password reset asked: the address.
            #expect(try await app.post("/request-password", #"{"email":"\#(new)"}"#).status == 200)
            let reset = try await app.mailedCode(to: new, "reset-password")
            #expect(reset.count == 8 && code.count == 10)
            #expect(try app.mails(to: new).count == 2 && app.sms(to: "2345678901").count == 1)
        }
    }

    @Test("A message names the other party and has the reader's time zone; a reminder ends with the start of the call")
    func subjects() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            let time: [String: JSONValue?] = ["agreed_time": .string("2040-03-11T07:45:00.000000Z")]
            try await deliveries.consume(try Deliveries.event("call.time_agreed", time))
            let messages = try await deliveries.messages().sorted { $0.to < $1.to }
            #expect(messages.map(\.name) == ["Cam", "Tom"])
            #expect(messages.map(\.subject?.other) == ["Tom Brady", "Cam Newton"])
            #expect(messages.map(\.subject?.zone) == ["Asia/Kathmandu", "America/Chicago"])
            #expect(messages.allSatisfy { $0.subject?.times == [2_215_064_700_000_000] && $0.subject?.minutes == 15 })
            #expect(try await deliveries.sql("SELECT count(*) FROM accounts.deliveries WHERE not_after IS NULL") == "2")
            try await deliveries.sql("DELETE FROM accounts.deliveries")
            try await deliveries.consume(try Deliveries.event("call.reminder_due", time))
            #expect(
                try await deliveries.sql(
                    "SELECT DISTINCT extract(epoch FROM not_after)::bigint FROM accounts.deliveries")
                    == "2215064700")
        }
    }

    @Test("Somebody whom accounts does not know is not told, and keeps nobody else from being told")
    func unknown() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            try await deliveries.sql("DELETE FROM accounts.users WHERE id = '\(Deliveries.caller)'")
            try await deliveries.consume(try Deliveries.event("call.time_agreed"))
            #expect(try await deliveries.told() == [Told(to: "hero@b.co", kind: "time-agreed")])
            #expect(try await deliveries.messages().first?.subject?.other == nil)
        }
    }

    @Test("More of staff than fit one statement are all told")
    func manyStaff() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            try await deliveries.sql(
                """
                INSERT INTO accounts.users (id, first_name, last_name, email, timezone, is_staff, password_hash, created,
                    updated)
                SELECT gen_random_uuid(), 'S', 'T', 'more' || n || '@b.co', 'UTC', true, '', now(), now()
                FROM generate_series(1, 250) n
                """)
            try await deliveries.consume(try Deliveries.event("hero.applied"))
            #expect(try await deliveries.told().count == 252)
        }
    }

    static let unreadable: [(type: String, member: String, value: JSONValue?)] = [
        ("hero.applied", "user", .string("x")), ("hero.applied", "id", .string("7")), ("hero.accepted", "title", nil),
        ("call.requested", "estimated_length", nil), ("call.accepted", "times", nil), ("call.accepted", "by", .null),
        ("call.declined", "reason", .null), ("call.accepted", "times", .array([])),
        ("call.times_suggested", "times", .array([.string("tomorrow")])),
        ("call.time_agreed", "agreed_time", .integer(5)),
        ("call.reminder_due", "agreed_time", nil),
    ]

    @Test("An event without what it was promised to hold is an error, and tells nobody", arguments: unreadable)
    func refuses(type: String, member: String, value: JSONValue?) async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            await #expect(throws: UnreadableEvent.self) {
                try await deliveries.consume(try Deliveries.event(type, [member: value]))
            }
            #expect(try await deliveries.told().isEmpty)
        }
    }

    @Test("What a later release adds to an event is ignored")
    func additions() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            try await deliveries.consume(
                try Deliveries.event("call.requested", ["later": .object(["id": .string("x")])]))
            #expect(try await deliveries.told().map(\.to) == ["hero@b.co"])
        }
    }

    @Test("What a transaction that failed would have told is not told")
    func rollback() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            let notifications = Notifications(queue: deliveries.queue, now: { deliveries.clock.now })
            let event = try Deliveries.event("hero.accepted")
            struct Stop: Error {}
            await #expect(throws: Stop.self) {
                try await deliveries.client.withTransaction { transaction in
                    try await notifications.handlers(for: "heroes")["hero.accepted"]?(event, transaction)
                    throw Stop()
                }
            }
            #expect(try await deliveries.told().isEmpty)
        }
    }
}
