import AccountsDomain
import Foundation
import Identity
import Postgres
import Testing

@testable import AccountsService

@Suite("Delivery")
struct DeliveryWorkerTests {
    // MARK: What goes well

    @Test("Each message is sent once, its number with it, and then its contents are gone")
    func sends() async throws {
        try await Deliveries.with { deliveries in
            let user = UUID()
            try await deliveries.add(.init(kind: .verifyEmail, to: "a@b.co", name: "Cam", code: "abcd234567"), user)
            try await deliveries.add(.init(kind: .verifyPhone, to: "2345678901", name: "Cam", code: "abc234"), user)
            #expect(try await deliveries.worker.sendDue() == 2)
            #expect(try await deliveries.worker.sendDue() == 0)
            #expect(deliveries.sent.mails.map(\.to) == ["a@b.co"] && deliveries.sent.sms.map(\.to) == ["2345678901"])
            let numbers = try await deliveries.sql(
                "SELECT string_agg(id::text, ' ' ORDER BY id) FROM accounts.deliveries")
            #expect(numbers == "\(deliveries.sent.mails[0].delivery.number) \(deliveries.sent.sms[0].delivery.number)")
            #expect(
                try await deliveries.sql(
                    "SELECT DISTINCT state, attempts, payload IS NULL, reason IS NULL, finished IS NULL FROM accounts.deliveries"
                ) == "sent|1|t|t|f")
        }
    }

    @Test("While it waits neither address nor code can be read in its row")
    func sealed() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.add(
                .init(kind: .resetPassword, to: "somebody@example.com", name: "Cameron", code: "abcd2345"))
            let row = try await deliveries.sql("SELECT encode(payload, 'escape'), d::text FROM accounts.deliveries d")
            for secret in ["somebody", "example.com", "Cameron", "abcd2345"] { #expect(!row.contains(secret)) }
        }
    }

    @Test("An event is told once for each recipient and channel")
    func once() async throws {
        try await Deliveries.with { deliveries in
            let (event, user) = (UUID(), UUID())
            let mail = Message(kind: .emailChanged, to: "a@b.co", name: "Cam", code: nil)
            for _ in 0..<3 { try await deliveries.add(mail, user, event: event) }
            try await deliveries.add(
                .init(kind: .verifyPhone, to: "2345678901", name: "Cam", code: "abc234"), user, event: event)
            try await deliveries.add(mail, UUID(), event: event)
            #expect(try await deliveries.sql("SELECT count(*) FROM accounts.deliveries") == "3")
        }
    }

    @Test("Two workers at once never send one message twice")
    func twoWorkers() async throws {
        try await Deliveries.with { deliveries in
            for index in 0..<120 {
                try await deliveries.add(
                    .init(kind: .verifyEmail, to: "a\(index)@b.co", name: "Cam", code: "abcd234567"))
            }
            try await deliveries.withOtherClient { other in
                let workers = try [deliveries.worker, deliveries.worker(on: other), deliveries.worker(on: other)]
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for worker in workers { group.addTask { while try await worker.sendDue() > 0 {} } }
                    try await group.waitForAll()
                }
            }
            let addresses = deliveries.sent.mails.map(\.to)
            #expect(addresses.count == 120 && Set(addresses).count == 120)
            #expect(try await deliveries.sql("SELECT count(*) FROM accounts.deliveries WHERE state = 'sent'") == "120")
        }
    }

    @Test("What a worker that died was sending is sent by another once its claim is over, and not before")
    func claim() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.add(.init(kind: .emailChanged, to: "a@b.co", name: "Cam", code: nil))
            // Claimed as a worker does; then nothing more was heard of it.
            let (gate, open) = AsyncStream<Void>.makeStream()
            let isSending = Locked(false)
            deliveries.sent.before = {
                isSending.withLock { $0 = true }
                for await _ in gate {}
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await deliveries.worker.sendDue() }
                try await TestKitPolling.until("it sends") { isSending.withLock { $0 } }
                #expect(try await deliveries.sql("SELECT attempts FROM accounts.deliveries") == "1")
                deliveries.clock.advance(by: .seconds(59))
                #expect(try await deliveries.worker.sendDue() == 0)
                deliveries.clock.advance(by: .seconds(1))
                deliveries.sent.before = nil
                #expect(try await deliveries.worker.sendDue() == 1)
                #expect(deliveries.sent.mails.count == 1)
                open.finish()
            }
        }
    }

    // MARK: What doesn't

    @Test("A failure is tried again after waits that double, with its reason, and success ends that")
    func retry() async throws {
        try await Deliveries.with { deliveries in
            deliveries.sent.failure = DeliveryFailure(reason: "connection refused", isPermanent: false)
            try await deliveries.add(.init(kind: .emailChanged, to: "a@b.co", name: "Cam", code: nil))
            let schedule = RetrySchedule()
            for attempt in 1...4 {
                #expect(try await deliveries.worker.sendDue() == 1)
                #expect(try await deliveries.worker.sendDue() == 0)
                let row = try await deliveries.row()
                #expect(row.state == "waiting" && row.attempts == attempt && row.reason == "connection refused")
                let wait = row.nextAttempt.since(deliveries.clock.now)
                let bounds = (
                    schedule.wait(afterTries: attempt, random: 0), schedule.wait(afterTries: attempt, random: 1)
                )
                #expect(wait >= bounds.0 ?? .zero && wait <= bounds.1 ?? .zero, "\(wait)")
                deliveries.clock.advance(by: wait - .microseconds(1))
                #expect(try await deliveries.worker.sendDue() == 0)
                deliveries.clock.advance(by: .microseconds(1))
            }
            deliveries.sent.failure = nil
            #expect(try await deliveries.worker.sendDue() == 1)
            let row = try await deliveries.row()
            #expect(row.state == "sent" && row.attempts == 5 && row.reason == nil && !row.hasPayload)
        }
    }

    @Test("After the last try it is parked with the reason, still sealed, and the log has no address")
    func park() async throws {
        try await Deliveries.with { deliveries in
            deliveries.sent.failure = DeliveryFailure(reason: "mailbox full", isPermanent: false)
            try await deliveries.add(.init(kind: .verifyEmail, to: "secret@b.co", name: "Cam", code: "abcd234567"))
            let tries = RetrySchedule().maximumTries
            for _ in 0..<tries {
                #expect(try await deliveries.worker.sendDue() == 1)
                deliveries.clock.advance(by: .seconds(900))
            }
            let row = try await deliveries.row()
            #expect(row.state == "parked" && row.attempts == tries && row.reason == "mailbox full" && row.hasPayload)
            #expect(try await deliveries.worker.sendDue() == 0)
            let log = deliveries.log.text
            #expect(log.contains("given up") && log.contains("mailbox full"))
            #expect(!log.contains("secret@b.co") && !log.contains("abcd234567"))
        }
    }

    @Test("What can't succeed is parked at once")
    func permanent() async throws {
        try await Deliveries.with { deliveries in
            deliveries.sent.failure = DeliveryFailure(reason: "no such mailbox", isPermanent: true)
            try await deliveries.add(.init(kind: .emailChanged, to: "a@b.co", name: "Cam", code: nil))
            #expect(try await deliveries.worker.sendDue() == 1)
            let row = try await deliveries.row()
            #expect(row.state == "parked" && row.attempts == 1 && row.reason == "no such mailbox" && row.hasPayload)
        }
    }

    @Test("One that fails holds up no other")
    func independent() async throws {
        try await Deliveries.with { deliveries in
            deliveries.sent.failing = "bad@b.co"
            for address in ["a@b.co", "bad@b.co", "c@b.co"] {
                try await deliveries.add(.init(kind: .emailChanged, to: address, name: "Cam", code: nil))
            }
            #expect(try await deliveries.worker.sendDue() == 3)
            #expect(Set(deliveries.sent.mails.map(\.to)) == ["a@b.co", "c@b.co"])
            #expect(
                try await deliveries.sql("SELECT string_agg(state, ' ' ORDER BY id) FROM accounts.deliveries")
                    == "sent waiting sent")
        }
    }

    @Test("A message that came too late to be of use is not sent")
    func tooLate() async throws {
        try await Deliveries.with { deliveries in
            let message = Message(kind: .verifyPhone, to: "2345678901", name: "Cam", code: "abc234")
            try await deliveries.add(message, notAfter: deliveries.clock.now.advanced(by: .seconds(600)))
            try await deliveries.add(message, notAfter: deliveries.clock.now.advanced(by: .seconds(601)))
            deliveries.clock.advance(by: .seconds(600))
            #expect(try await deliveries.worker.sendDue() == 2)
            #expect(deliveries.sent.sms.count == 1)
            let row = try await deliveries.row()
            #expect(row.state == "parked" && row.reason == "too late to be of use" && !row.hasPayload)
        }
    }

    @Test("One that another secret sealed, or nobody, is parked and holds up no other")
    func unreadable() async throws {
        try await Deliveries.with { deliveries in
            let message = Message(kind: .emailChanged, to: "a@b.co", name: "Cam", code: nil)
            for _ in 0..<3 { try await deliveries.add(message) }
            let other = MessageSeal(try SecretKey("another secret, thirty-two characters or more"))
            let hex = try other.seal(message).map { String(format: "%02x", $0) }.joined()
            try await deliveries.sql(
                """
                UPDATE accounts.deliveries SET payload = '\\x\(hex)' WHERE id = 1;
                UPDATE accounts.deliveries SET payload = '\\x00' WHERE id = 2;
                """)
            #expect(try await deliveries.worker.sendDue() == 3)
            #expect(deliveries.sent.mails.count == 1)
            #expect(
                try await deliveries.sql(
                    "SELECT string_agg(concat_ws(':', state, reason), ' ' ORDER BY id) FROM accounts.deliveries")
                    == "parked:can't be opened parked:can't be opened sent")
        }
    }
}
