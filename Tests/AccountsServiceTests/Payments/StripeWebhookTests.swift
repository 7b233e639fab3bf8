import AccountsDomain
import Crypto
import Foundation
import NIOCore
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Stripe's webhook")
struct StripeWebhookTests {
    // MARK: Signatures

    /// Computed with another implementation (Python's hmac).
    static let body = #"{"id":"evt_1"}"#
    static let time: Int64 = 1_492_774_577
    static let code = "1dd03cd18cd7ab50209d98b504ff61df99a623fd7cf9aa58c2c43191d232c8f5"

    static func isGenuine(_ signature: String, _ body: String = body, after seconds: Int64 = 0) -> Bool {
        StripeWebhook(secret: StripePaymentsTests.webhookSecret)
            .isGenuine(ByteBuffer(string: body), signature: signature, now: time + seconds)
    }

    @Test("A signature of ours, alone or among others, within five minutes either way")
    func good() {
        let good = "t=\(Self.time),v1=\(Self.code)"
        let other = String(repeating: "0", count: 64)
        #expect(Self.isGenuine(good))
        #expect(Self.isGenuine("t=\(Self.time),v1=\(other),v1=\(Self.code),v0=\(other)"))
        #expect(Self.isGenuine("v1=\(Self.code.uppercased()),scheme=x,t=\(Self.time)"))
        #expect(Self.isGenuine(good, after: 300) && Self.isGenuine(good, after: -300))
    }

    @Test("Anything else is not genuine")
    func bad() {
        let good = "t=\(Self.time),v1=\(Self.code)"
        #expect(!Self.isGenuine(good, after: 301) && !Self.isGenuine(good, after: -301))
        #expect(!Self.isGenuine(good, Self.body + " "))
        let bad = [
            "", "t=\(Self.time)", "v1=\(Self.code)", "t=\(Self.time + 1),v1=\(Self.code)",
            "t=\(Self.time),v0=\(Self.code)", "t=\(Self.time),v1=\(Self.code.dropLast())",
            "t=\(Self.time),v1=\(Self.code)0", "t=0\(Self.time),v1=\(Self.code)", "t=+\(Self.time),v1=\(Self.code)",
            "t=-1,v1=\(Self.code)", "t=99999999999999999999,v1=\(Self.code)", "t=\(Int64.min),v1=\(Self.code)",
            "t=\(Self.time),v1=\(String(repeating: "é", count: 32))", ",,,==,t,v1",
        ]
        for signature in bad { #expect(!Self.isGenuine(signature), "\(signature)") }
        let other = StripeWebhook(secret: "whsec_another")
        #expect(!other.isGenuine(ByteBuffer(string: Self.body), signature: good, now: Self.time))
    }

    // MARK: What it does

    private static func sign(_ body: String, at time: Int64, secret: String = StripePaymentsTests.webhookSecret)
        -> String
    {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(time).\(body)".utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return "t=\(time),v1=" + code.map { String(format: "%02x", $0) }.joined()
    }

    private static func tell(_ app: RunningAccounts, _ body: String, signature: String? = nil) async throws -> Answer {
        try await app.send(
            .POST, "/stripe-webhook", body,
            headers: [("stripe-signature", signature ?? sign(body, at: app.clock.now.seconds))])
    }

    /// Runs `body` with a user for whose method Stripe has yet to say what becomes of it.
    private static func withPending(
        _ body: @Sendable (_ app: RunningAccounts, RunningAccounts.Person, _ intent: String) async throws -> Void
    ) async throws {
        try await StripePaymentsTests.with { stripe, app in
            stripe.answers { asked in
                asked.form["payment_method"] == "pm_slow"
                    ? .json(200, StripeServer.intent(asked, status: "requires_action")) : nil
            }
            let person = try await app.register()
            #expect(try await StripePaymentsTests.attach("pm_slow", person, app).status == 200)
            try await body(app, person, try await app.sql("SELECT intent FROM accounts.payment_attempts"))
        }
    }

    @Test("A later success verifies the method, in the copies of the tokens too; told twice it counts once")
    func success() async throws {
        try await Self.withPending { app, person, intent in
            #expect(try await StripePaymentsTests.isVerified(person, app) == false)
            let event = StripeServer.event("setup_intent.succeeded", intent: intent)
            for _ in 0..<2 {
                let answer = try await Self.tell(app, event)
                #expect(answer.status == 200 && answer.body.readableBytes == 0)
                #expect(try await PaymentMethodTests.isVerified(person.token, in: app) == true)
                #expect(try await StripePaymentsTests.isVerified(person, app))
            }
            // The event again, after the user took the method back.
            #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
            for id in ["evt_1", "evt_2"] {
                let event = StripeServer.event("setup_intent.succeeded", id: id, intent: intent)
                #expect(try await Self.tell(app, event).status == 200)
                #expect(try await StripePaymentsTests.isVerified(person, app) == false)
            }
        }
    }

    @Test("The same event many times at once counts once, and each is 200")
    func race() async throws {
        try await Self.withPending { app, person, intent in
            let event = StripeServer.event("setup_intent.succeeded", intent: intent)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await Self.tell(app, event).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 8))
            #expect(try await StripePaymentsTests.isVerified(person, app))
            #expect(try await app.sql("SELECT token_version FROM accounts.users") == "2")
        }
    }

    @Test(
        "A later failure verifies nothing, and another try works",
        arguments: ["setup_intent.setup_failed", "setup_intent.canceled"])
    func failure(type: String) async throws {
        try await Self.withPending { app, person, intent in
            let answer = try await Self.tell(app, StripeServer.event(type, intent: intent))
            #expect(answer.status == 200)
            #expect(try await StripePaymentsTests.isVerified(person, app) == false)
            #expect(try await app.sql("SELECT state FROM accounts.payment_attempts") == "failed")
            #expect(try await StripePaymentsTests.attach("pm_good", person, app).status == 200)
            #expect(try await StripePaymentsTests.isVerified(person, app))
        }
    }

    @Test("A failure that is told after the success takes nothing back")
    func failureAfterSuccess() async throws {
        try await Self.withPending { app, person, intent in
            let success = StripeServer.event("setup_intent.succeeded", id: "evt_1", intent: intent)
            let failure = StripeServer.event("setup_intent.setup_failed", id: "evt_0", intent: intent)
            for event in [success, failure] {
                let answer = try await Self.tell(app, event)
                #expect(answer.status == 200)
            }
            #expect(try await StripePaymentsTests.isVerified(person, app))
        }
    }

    @Test("A success that comes before Stripe's own answer finds what it belongs to")
    func beforeAnswer() async throws {
        try await StripePaymentsTests.with { stripe, app in
            let (gate, open) = AsyncStream<Void>.makeStream()
            stripe.answers { asked in
                guard asked.path == "/v1/setup_intents" else { return nil }
                for await _ in gate {}
                return .json(200, StripeServer.intent(asked, status: "processing"))
            }
            let person = try await app.register()
            async let attached = StripePaymentsTests.attach("pm_1", person, app)
            try await TestKitPolling.until("Stripe is asked") { !stripe.intents.isEmpty }
            let asked = stripe.intents[0]
            let attempt = try #require(asked.form["metadata[attempt]"])
            let event = StripeServer.event(
                "setup_intent.succeeded", intent: "seti_\(attempt.filter { $0 != "-" })", attempt: attempt)
            #expect(try await Self.tell(app, event).status == 200)
            #expect(try await StripePaymentsTests.isVerified(person, app))
            open.finish()
            let answer = try await attached
            #expect(answer.status == 200 && answer["payment_verified"] == .bool(true), "\(answer)")
            #expect(try await app.sql("SELECT state FROM accounts.payment_attempts") == "succeeded")
        }
    }

    @Test("What isn't signed, is old, or was changed is refused and changes nothing")
    func refusals() async throws {
        try await Self.withPending { app, person, intent in
            let event = StripeServer.event("setup_intent.succeeded", intent: intent)
            let now = app.clock.now.seconds
            let signatures = [
                "", "t=\(now)", Self.sign(event, at: now - 301), Self.sign(event, at: now + 301),
                Self.sign(event + " ", at: now), Self.sign(event, at: now, secret: "whsec_another"),
            ]
            for signature in signatures {
                let answer = try await Self.tell(app, event, signature: signature)
                #expect(answer.status == 400 && answer.text("code") == "bad_request", "\(answer)")
            }
            #expect(try await app.send(.POST, "/stripe-webhook", event).status == 400)
            #expect(try await StripePaymentsTests.isVerified(person, app) == false)
            // A genuine one, sent again by somebody who saw it, ten minutes later.
            let seen = Self.sign(event, at: now)
            app.clock.advance(by: .seconds(600))
            #expect(try await Self.tell(app, event, signature: seen).status == 400)
        }
    }

    @Test("Events that don't concern us are taken and change nothing; what is signed but no event is bad data")
    func others() async throws {
        try await Self.withPending { app, person, intent in
            let others = [
                StripeServer.event("setup_intent.created", intent: intent),
                StripeServer.event("customer.created", intent: "cus_1"),
                StripeServer.event("setup_intent.succeeded", intent: "seti_of_nobody"),
                StripeServer.event("setup_intent.succeeded", intent: "seti_x", attempt: UUID().uuidString),
                StripeServer.event("setup_intent.succeeded", intent: "seti_x", attempt: "no uuid"), "{}",
                #"{"id":"evt_1","type":"setup_intent.succeeded","data":null}"#,
                #"{"id":1,"type":[],"data":{"object":{"id":"\#(intent)"}}}"#,
            ]
            for event in others { #expect(try await Self.tell(app, event).status == 200, "\(event)") }
            for body in ["[]", "{", "x", "{}{}"] {
                let answer = try await Self.tell(app, body)
                #expect(answer.status == 400 && answer.text("code") == "malformed_json")
            }
            #expect(try await StripePaymentsTests.isVerified(person, app) == false)
        }
    }
}
