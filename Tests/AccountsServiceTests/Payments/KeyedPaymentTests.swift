import Foundation
import ServiceKit
import Testing

@testable import AccountsService

@Suite("The payment method with an Idempotency-Key, with Stripe")
struct KeyedPaymentTests {
    private static func attach(
        _ method: String, _ person: RunningAccounts.Person, _ app: RunningAccounts, key: String = "k"
    ) async throws -> Answer {
        try await app.send(
            .POST, "/payment-method", #"{"payment_method":"\#(method)"}"#, token: person.token,
            headers: [("idempotency-key", key)])
    }

    private static func attempts(_ app: RunningAccounts) async throws -> String {
        try await app.sql("SELECT string_agg(state, ' ' ORDER BY created) FROM accounts.payment_attempts")
    }

    @Test("A try that ended midway and the next one are one attempt, for Stripe too")
    func midway() async throws {
        try await StripePaymentsTests.with { stripe, app in
            let person = try await app.register()
            stripe.answers { $0.path == "/v1/setup_intents" ? .hangUp : nil }
            #expect(try await Self.attach("pm_1", person, app).status == 503)
            stripe.answers { _ in nil }
            for _ in 0..<2 {
                let answer = try await Self.attach("pm_1", person, app)
                #expect(answer.status == 200 && answer["payment_verified"] == .bool(true))
            }
            #expect(stripe.intents.count >= 2 && Set(stripe.intents.map(\.idempotencyKey)).count == 1)
            #expect(Set(stripe.intents.map { $0.form["metadata[attempt]"] }).count == 1)
            #expect(try await Self.attempts(app) == "succeeded")
            // Another key, another attempt.
            #expect(try await Self.attach("pm_1", person, app, key: "l").status == 200)
            #expect(Set(stripe.intents.map(\.idempotencyKey)).count == 2)
        }
    }

    @Test("Another method with the key is refused before Stripe hears of it, whatever came of the first")
    func otherMethod() async throws {
        try await StripePaymentsTests.with { stripe, app in
            let person = try await app.register()
            for reply in [StripeServer.Reply.hangUp, StripeServer.declined] {
                stripe.answers { $0.path == "/v1/setup_intents" ? reply : nil }
                let first = try await Self.attach("pm_1", person, app)
                #expect(first.status == 503 || first.status == 402)
                let asked = stripe.asked.count
                #expect(try await Self.attach("pm_2", person, app).status == 422)
                #expect(stripe.asked.count == asked)
            }
            #expect(try await Self.attempts(app) == "failed")
        }
    }

    @Test("A try that comes again after the user has wished for something else changes nothing")
    func late() async throws {
        try await StripePaymentsTests.with { stripe, app in
            let person = try await app.register()
            stripe.answers { $0.path == "/v1/setup_intents" ? .hangUp : nil }
            #expect(try await Self.attach("pm_1", person, app).status == 503)
            stripe.answers { _ in nil }
            #expect(try await Self.attach("pm_2", person, app, key: "l").status == 200)
            #expect(try await Self.attach("pm_1", person, app).status == 200)
            #expect(try await app.sql("SELECT method FROM accounts.payment_methods") == "pm_2")
            #expect(try await Self.attempts(app) == "superseded succeeded")
            #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
            #expect(try await Self.attach("pm_2", person, app, key: "l")["payment_verified"] == .bool(true))
            #expect(try await StripePaymentsTests.isVerified(person, app) == false)
        }
    }

    @Test("After a day the key is that of another attempt")
    func nextDay() async throws {
        try await StripePaymentsTests.with { stripe, app in
            let person = try await app.member()
            #expect(try await Self.attach("pm_1", person, app).status == 200)
            app.clock.advance(by: .seconds(86_400))
            #expect(try await Self.attach("pm_2", person, app).status == 200)
            #expect(Set(stripe.intents.map(\.idempotencyKey)).count == 2)
            #expect(try await app.sql("SELECT method FROM accounts.payment_methods") == "pm_2")
        }
    }
}
