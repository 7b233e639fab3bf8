import AsyncHTTPClient
import Foundation
import NIOCore
import ServiceKit
import Testing

@testable import AccountsService

@Suite("The payment method, with Stripe")
struct StripePaymentsTests {
    static let webhookSecret = "whsec_a_secret_of_tests"

    static func options(_ stripe: StripeServer) -> RunningAccounts.Options {
        var options = RunningAccounts.Options()
        options.settings = [
            "PAYMENTS": "stripe", "STRIPE_SECRET_KEY": "sk_test_of_ours", "STRIPE_WEBHOOK_SECRET": webhookSecret,
            "STRIPE_API_BASE": stripe.url,
        ]
        return options
    }

    static func with(_ body: @Sendable (StripeServer, RunningAccounts) async throws -> Void) async throws {
        try await StripeServer.with { stripe in
            try await RunningAccounts.with(options(stripe)) { try await body(stripe, $0) }
        }
    }

    static func attach(
        _ method: String, _ person: RunningAccounts.Person, _ app: RunningAccounts
    ) async throws -> Answer {
        try await app.post("/payment-method", #"{"payment_method":"\#(method)"}"#, token: person.token)
    }

    static func isVerified(_ person: RunningAccounts.Person, _ app: RunningAccounts) async throws -> Bool {
        try await app.profile(person.token)["payment_verified"] == .bool(true)
    }

    @Test("A SetupIntent that succeeds verifies the method; Stripe is asked as its reference says")
    func success() async throws {
        try await Self.with { stripe, app in
            let person = try await app.register()
            let answer = try await Self.attach("pm_1", person, app)
            #expect(answer.status == 200 && answer["payment_verified"] == .bool(true))
            #expect(stripe.asked.map(\.path) == ["/v1/customers", "/v1/setup_intents"])
            for asked in stripe.asked {
                #expect(asked.method == "POST")
                #expect(asked.headers["authorization"] == ["Bearer sk_test_of_ours"])
                #expect(asked.headers["content-type"] == ["application/x-www-form-urlencoded"])
                #expect(asked.headers["stripe-version"].count == 1)
                #expect(asked.idempotencyKey?.isEmpty == false)
            }
            #expect(stripe.asked[0].form == ["metadata[user]": person.id])
            var form = stripe.asked[1].form
            #expect(form.removeValue(forKey: "metadata[attempt]").flatMap { UUID(uuidString: $0) } != nil)
            #expect(
                form == [
                    "customer": "cus_NffrFeUfNV2Hib", "payment_method": "pm_1", "confirm": "true",
                    "usage": "off_session", "payment_method_types[]": "card",
                ])
            #expect(!app.log.text.contains("sk_test_of_ours") && !app.log.text.contains("pm_1"))
        }
    }

    @Test("The customer is made once; each attempt has an idempotency key of its own")
    func again() async throws {
        try await Self.with { stripe, app in
            let person = try await app.register()
            #expect(try await Self.attach("pm_1", person, app).status == 200)
            #expect(try await Self.attach("pm_2", person, app).status == 200)
            #expect(stripe.asked.map(\.path) == ["/v1/customers", "/v1/setup_intents", "/v1/setup_intents"])
            #expect(stripe.intents.map { $0.form["customer"] } == ["cus_NffrFeUfNV2Hib", "cus_NffrFeUfNV2Hib"])
            #expect(Set(stripe.asked.map(\.idempotencyKey)).count == 3)
            #expect(try await app.sql("SELECT method, provider FROM accounts.payment_methods") == "pm_2|stripe")
        }
    }

    @Test(
        "Until Stripe has settled it the answer is 200 and nothing verified",
        arguments: ["requires_action", "processing"])
    func pending(status: String) async throws {
        try await Self.with { stripe, app in
            stripe.answers { asked in
                asked.path == "/v1/setup_intents" ? .json(200, StripeServer.intent(asked, status: status)) : nil
            }
            let person = try await app.register()
            let answer = try await Self.attach("pm_1", person, app)
            #expect(answer.status == 200 && answer["payment_verified"] == .bool(false))
            #expect(try await app.sql("SELECT count(*) FROM accounts.payment_methods") == "0")
            #expect(try await app.sql("SELECT state FROM accounts.payment_attempts") == "pending")
        }
    }

    @Test(
        "A declined card is 402, however Stripe says it",
        arguments: ["card_error", "requires_payment_method", "canceled"])
    func declined(kind: String) async throws {
        try await Self.with { stripe, app in
            let person = try await app.register()
            #expect(try await Self.attach("pm_good", person, app).status == 200)
            stripe.answers { asked in
                guard asked.path == "/v1/setup_intents" else { return nil }
                return kind == "card_error"
                    ? StripeServer.declined : .json(200, StripeServer.intent(asked, status: kind))
            }
            let answer = try await Self.attach("pm_bad", person, app)
            #expect(answer.status == 402 && answer.text("code") == "payment_declined")
            #expect(try await app.sql("SELECT method FROM accounts.payment_methods") == "pm_good")
            #expect(try await Self.isVerified(person, app))
        }
    }

    @Test("A method that Stripe doesn't know is bad data", arguments: [400, 404])
    func unknown(status: Int) async throws {
        try await Self.with { stripe, app in
            stripe.answers { asked in
                guard asked.path == "/v1/setup_intents", case .json(_, let body, _) = StripeServer.noSuchMethod else {
                    return nil
                }
                return .json(status, body)
            }
            let person = try await app.register()
            let answer = try await Self.attach("pm_nothing", person, app)
            #expect(answer.status == 400 && answer.badFields == ["payment_method"])
            #expect(try await Self.isVerified(person, app) == false)
        }
    }

    /// What is no answer to rely on: our mistake, Stripe's, or the network's.
    static let failures: [(name: String, reply: StripeServer.Reply)] = [
        (
            "another parameter",
            .json(
                400,
                StripeServer.error(
                    "invalid_request_error", "No such customer: 'cus_1'", code: "resource_missing", param: "customer"))
        ),
        ("no parameter", .json(400, StripeServer.error("invalid_request_error", "Bad", code: nil, param: nil))),
        ("bad key", .json(401, StripeServer.error("invalid_request_error", "Invalid API Key", code: nil, param: nil))),
        ("forbidden", .json(403, StripeServer.error("invalid_request_error", "Not allowed", code: nil, param: nil))),
        ("conflict", .json(409, StripeServer.error("idempotency_error", "In use", code: "lock_timeout", param: nil))),
        (
            "too many",
            .json(429, StripeServer.error("invalid_request_error", "Slow down", code: "rate_limit", param: nil))
        ),
        ("fault", .json(500, StripeServer.error("api_error", "Something went wrong", code: nil, param: nil))),
        ("page", .json(503, "<html>Service unavailable</html>")),
        ("not JSON", .json(200, "OK")),
        ("no id", .json(200, #"{"object":"setup_intent","status":"succeeded"}"#)),
        ("unknown status", .json(200, #"{"id":"seti_1","status":"perhaps"}"#)),
        ("redirect", .json(302, "")),
        ("broken", .broken),
        ("hung up", .hangUp),
    ]

    @Test(
        "An answer that can't be relied on is 503, with nothing half done, and the next try works",
        arguments: ["/v1/setup_intents", "/v1/customers"])
    func unavailable(path: String) async throws {
        try await Self.with { stripe, app in
            for (name, reply) in Self.failures where !(path == "/v1/customers" && name == "unknown status") {
                stripe.answers { asked in asked.path == path ? reply : nil }
                let person = try await app.register()
                let answer = try await Self.attach("pm_1", person, app)
                #expect(answer.status == 503 && answer.headers.first(name: "retry-after") != nil, "\(name): \(answer)")
                #expect(!String(buffer: answer.body).lowercased().contains("stripe"), "\(name)")
                #expect(try await Self.isVerified(person, app) == false, "\(name)")
                stripe.answers { _ in nil }
                #expect(try await Self.attach("pm_1", person, app)["payment_verified"] == .bool(true), "\(name)")
                #expect(
                    try await app.sql(
                        "SELECT string_agg(state, ' ' ORDER BY created, state DESC) FROM accounts.payment_attempts WHERE user_id = '\(person.id)'"
                    ).split(separator: " ").sorted() == ["succeeded", "superseded"], "\(name)")
            }
        }
    }

    @Test("A failure that Stripe keeps under the customer's idempotency key doesn't lock the user out for a day")
    func keptFailure() async throws {
        try await Self.with { stripe, app in
            // "Idempotent requests": the first answer of a key is kept for 24 hours, a 500 too.
            let kept = Locked<[String: Int]>([:])
            let isWell = Locked(false)
            stripe.answers { asked in
                guard asked.path == "/v1/customers", let key = asked.idempotencyKey else { return nil }
                let status = kept.withLock { kept in
                    if kept[key] == nil { kept[key] = isWell.withLock { $0 } ? 200 : 500 }
                    return kept[key]
                }
                return status == 200
                    ? nil : .json(500, StripeServer.error("api_error", "Something went wrong", code: nil, param: nil))
            }
            let person = try await app.register()
            #expect(try await Self.attach("pm_1", person, app).status == 503)
            isWell.withLock { $0 = true }
            #expect(try await Self.attach("pm_1", person, app).status == 200)
        }
    }

    @Test("Stripe that doesn't answer is given up after a while")
    func slow() async throws {
        try await StripeServer.with { stripe in
            stripe.answers { _ in .silence }
            let payments = StripePayments(
                client: .shared, baseURL: stripe.url, secretKey: "sk_test", timeout: .milliseconds(200))
            let attempt = PaymentAttempt(id: UUID(), userID: UUID(), method: "pm_1", customer: "cus_1")
            let start = ContinuousClock.now
            await #expect(throws: PaymentsUnavailable.self) { try await payments.confirm(attempt) }
            #expect(ContinuousClock.now - start < .seconds(8))
            await #expect(throws: PaymentsUnavailable.self) { try await payments.release(method: "pm_1") }
        }
    }

    @Test("The last wish counts, also when Stripe answers it first")
    func lastWish() async throws {
        try await Self.with { stripe, app in
            let person = try await app.register()
            #expect(try await Self.attach("pm_zero", person, app).status == 200)
            let (gate, open) = AsyncStream<Void>.makeStream()
            stripe.answers { asked in
                if asked.form["payment_method"] == "pm_first" { for await _ in gate {} }
                return nil
            }
            async let first = Self.attach("pm_first", person, app)
            try await TestKitPolling.until("the first is under way") {
                stripe.intents.contains { $0.form["payment_method"] == "pm_first" }
            }
            #expect(try await Self.attach("pm_second", person, app).status == 200)
            open.finish()
            #expect(try await first.status == 200)
            #expect(try await app.sql("SELECT method FROM accounts.payment_methods") == "pm_second")
        }
    }

    @Test("A method taken back while Stripe still thinks is not verified by its answer")
    func removedMeanwhile() async throws {
        try await Self.with { stripe, app in
            let person = try await app.register()
            let (gate, open) = AsyncStream<Void>.makeStream()
            stripe.answers { asked in
                if asked.path == "/v1/setup_intents" { for await _ in gate {} }
                return nil
            }
            async let attached = Self.attach("pm_1", person, app)
            try await TestKitPolling.until("it is under way") { !stripe.intents.isEmpty }
            #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
            open.finish()
            let answer = try await attached
            #expect(answer.status == 200 && answer["payment_verified"] == .bool(false))
            #expect(try await app.sql("SELECT count(*) FROM accounts.payment_methods") == "0")
        }
    }

    @Test("Removing a method detaches it at Stripe; whatever Stripe says to that, it is gone here")
    func remove() async throws {
        try await Self.with { stripe, app in
            let person = try await app.register()
            #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
            #expect(stripe.asked.isEmpty)
            let replies: [StripeServer.Reply?] = [
                nil, .json(400, StripeServer.error("invalid_request_error", "Not attached", code: nil, param: nil)),
                .json(404, "{}"), .json(500, "{}"), .hangUp, .broken,
            ]
            for reply in replies {
                stripe.answers { _ in nil }
                #expect(try await Self.attach("pm_x", person, app).status == 200)
                stripe.answers { _ in reply }
                #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
                #expect(stripe.asked.last?.path == "/v1/payment_methods/pm_x/detach")
                #expect(try await Self.isVerified(person, app) == false)
            }
        }
    }
}
