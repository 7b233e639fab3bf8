import AccountsDomain
import Events
import Foundation
import NIOCore
import Postgres
import ServiceKit
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
    static let caller = "00000000-0000-4000-8000-000000000001"
    static let hero = "00000000-0000-4000-8000-000000000002"

    /// A caller with a phone, a hero who wants notifications, and two of staff.
    func people() async throws {
        try await sql(
            """
            INSERT INTO accounts.users (id, first_name, last_name, email, email_verified, email_notifications, phone,
                phone_verified, timezone, is_staff, password_hash, created, updated) VALUES
            ('\(Self.caller)', 'Cam', 'Newton', 'caller@b.co', true, false, '2345678901', true, 'Asia/Kathmandu',
                false, '', now(), now()),
            ('\(Self.hero)', 'Tom', 'Brady', 'hero@b.co', true, true, NULL, false, 'America/Chicago',
                false, '', now(), now()),
            (gen_random_uuid(), 'Ada', 'One', 'staff1@b.co', true, false, NULL, false, 'UTC', true, '', now(), now()),
            (gen_random_uuid(), 'Bob', 'Two', 'staff2@b.co', false, true, '3456789012', true, 'UTC', true, '', now(),
                now());
            """)
    }

    func event(_ type: String, _ data: String, id: UUID = UUID()) throws -> Event {
        Event(
            position: 1, id: id, source: type.hasPrefix("call") ? "calls" : "heroes", type: type, subject: "9",
            recipients: [], time: .now(), data: try JSONParser.object(ByteBuffer(string: data)))
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
    static let heroData = #"""
        {"id": 7, "user": "\#(Deliveries.hero)", "slug": "tom-brady", "title": "Swift", "discipline": "BE",
         "rate_in_cents": 100, "state": "pending", "accepted": false, "version": 1, "decided_by": null, "later": {}}
        """#

    static func callData(_ more: String = "") -> String {
        #"""
        {"id": 9, "user": "\#(Deliveries.caller)", "hero": 7, "hero_user": "\#(Deliveries.hero)", "status": "a",
         "estimated_length": 15\#(more)}
        """#
    }

    static let times =
        #", "times": ["2040-03-11T07:45:00.000000Z", "2040-07-01T00:00:00.000000Z", "2041-01-01T00:15:00.000000Z"]"#

    static let table: [(type: String, data: String, told: [Told])] = [
        (
            "hero.applied", heroData,
            [Told(to: "staff1@b.co", kind: "hero-applied"), Told(to: "staff2@b.co", kind: "hero-applied")]
        ),
        ("hero.accepted", heroData, [Told(to: "hero@b.co", kind: "hero-accepted")]),
        ("hero.declined", heroData, [Told(to: "hero@b.co", kind: "hero-declined")]),
        ("call.requested", callData(), [Told(to: "hero@b.co", kind: "call-requested")]),
        (
            "call.accepted", callData(#", "by": "\#(Deliveries.hero)"\#(times)"#),
            [Told(to: "caller@b.co", kind: "call-accepted")]
        ),
        ("call.declined", callData(#", "reason": "No time.""#), [Told(to: "caller@b.co", kind: "call-declined")]),
        (
            "call.times_suggested", callData(#", "by": "\#(Deliveries.caller)"\#(times)"#),
            [Told(to: "hero@b.co", kind: "times-suggested")]
        ),
        (
            "call.times_suggested", callData(#", "by": "\#(Deliveries.hero)"\#(times)"#),
            [Told(to: "caller@b.co", kind: "times-suggested")]
        ),
        (
            "call.time_agreed",
            callData(#", "by": "\#(Deliveries.hero)", "agreed_time": "2040-03-11T07:45:00.000000Z""#),
            [Told(to: "caller@b.co", kind: "time-agreed"), Told(to: "hero@b.co", kind: "time-agreed")]
        ),
        (
            // The caller has a phone and wants nothing more; the hero has none and does.
            "call.reminder_due", callData(#", "agreed_time": "2040-03-11T07:45:00.000000Z""#),
            [Told(to: "2345678901", kind: "call-reminder-sms"), Told(to: "hero@b.co", kind: "call-reminder")]
        ),
    ]

    @Test("Each tells whom the contract says, once, however often it comes", arguments: table)
    func tells(type: String, data: String, told: [Told]) async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            let event = try deliveries.event(type, data)
            try await deliveries.consume(event)
            #expect(try await deliveries.told() == told)
            try await deliveries.consume(event)
            #expect(try await deliveries.told() == told)
            // Another event of the same kind is another message.
            try await deliveries.consume(try deliveries.event(type, data))
            #expect(try await deliveries.told().count == 2 * told.count)
        }
    }

    @Test("The table has every type, and every type has a handler")
    func types() {
        #expect(Set(Self.table.map(\.type)) == Set(Occasion.types.values.joined()))
    }

    @Test("A message names the other party and has the reader's time zone; a reminder ends with the start of the call")
    func subjects() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            let data = Self.callData(#", "by": "\#(Deliveries.hero)", "agreed_time": "2040-03-11T07:45:00.000000Z""#)
            try await deliveries.consume(try deliveries.event("call.time_agreed", data))
            let messages = try await deliveries.messages().sorted { $0.to < $1.to }
            #expect(messages.map(\.name) == ["Cam", "Tom"])
            #expect(messages.map(\.subject?.other) == ["Tom Brady", "Cam Newton"])
            #expect(messages.map(\.subject?.zone) == ["Asia/Kathmandu", "America/Chicago"])
            #expect(messages.allSatisfy { $0.subject?.times == [2_215_064_700_000_000] && $0.subject?.minutes == 15 })
            #expect(try await deliveries.sql("SELECT count(*) FROM accounts.deliveries WHERE not_after IS NULL") == "2")
            try await deliveries.sql("DELETE FROM accounts.deliveries")
            try await deliveries.consume(try deliveries.event("call.reminder_due", data))
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
            let data = Self.callData(#", "agreed_time": "2040-03-11T07:45:00.000000Z""#)
            try await deliveries.consume(try deliveries.event("call.time_agreed", data))
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
            try await deliveries.consume(try deliveries.event("hero.applied", Self.heroData))
            #expect(try await deliveries.told().count == 252)
        }
    }

    @Test(
        "An event without what it was promised to hold is an error, and tells nobody",
        arguments: [
            ("hero.applied", #"{"id": 7, "user": "x", "title": "T", "discipline": "BE"}"#),
            ("hero.applied", #"{"id": "7", "user": "\#(Deliveries.hero)", "title": "T", "discipline": "BE"}"#),
            ("call.requested", "{}"), ("call.accepted", callData()), ("call.declined", callData(#", "reason": null"#)),
            ("call.accepted", callData(#", "by": "\#(Deliveries.hero)", "times": []"#)),
            ("call.accepted", callData(#", "by": "\#(Deliveries.hero)", "times": ["tomorrow"]"#)),
            ("call.time_agreed", callData(#", "agreed_time": 5"#)), ("call.reminder_due", callData()),
        ])
    func unreadable(type: String, data: String) async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            await #expect(throws: UnreadableEvent.self) {
                try await deliveries.consume(try deliveries.event(type, data))
            }
            #expect(try await deliveries.told().isEmpty)
        }
    }

    @Test("What a transaction that failed would have told is not told")
    func rollback() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.people()
            let notifications = Notifications(queue: deliveries.queue, now: { deliveries.clock.now })
            let event = try deliveries.event("hero.accepted", Self.heroData)
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
