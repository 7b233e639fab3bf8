import Foundation
import Identity
import ServiceKit
import Testing

@testable import AccountsService

@Suite("The payment method, with the sandbox")
struct PaymentMethodTests {
    static let path = "/payment-method"
    static let good = #"{"payment_method":"pm_card_visa"}"#
    static let declined = #"{"payment_method":"pm_card_chargeDeclined"}"#

    /// The flag in what Redis keeps of a token, or nil without a copy.
    static func isVerified(_ token: String, in app: RunningAccounts) async throws -> Bool? {
        try await app.redisCopy(of: token).flatMap { TokenRecord($0) }?.flags.contains(.paymentVerified)
    }

    @Test("A good method is verified in the profile and in the copies of all tokens before the answer, again too")
    func success() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let other = try await app.newToken(person)
            for token in [person.token, other] { #expect(try await app.profile(token).status == 200) }
            let before = try await app.profile(person.token)
            app.clock.advance(by: .seconds(1))
            for _ in 0..<2 {
                let answer = try await app.post(Self.path, Self.good, token: person.token)
                var expected = before.members
                expected["payment_verified"] = .bool(true)
                expected["updated"] = answer["updated"]
                #expect(answer.status == 200 && answer.members == expected, "\(answer)")
                for token in [person.token, other] { #expect(try await Self.isVerified(token, in: app) == true) }
            }
            #expect(try await app.sql("SELECT method FROM accounts.payment_methods") == "pm_card_visa")
        }
    }

    @Test("A declined method is 402 and leaves what was there")
    func declined() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            for isVerified in [false, true] {
                if isVerified {
                    #expect(try await app.post(Self.path, Self.good, token: person.token).status == 200)
                }
                let answer = try await app.post(Self.path, Self.declined, token: person.token)
                #expect(answer.status == 402 && answer.text("code") == "payment_declined")
                #expect(try await app.profile(person.token)["payment_verified"] == .bool(isVerified))
            }
            #expect(try await app.sql("SELECT method FROM accounts.payment_methods") == "pm_card_visa")
        }
    }

    @Test(
        "Anything else is bad data",
        arguments: [
            "{}", #"{"payment_method":null}"#, #"{"payment_method":1}"#, #"{"payment_method":{"id":"pm_card_visa"}}"#,
            #"{"payment_method":""}"#, #"{"payment_method":"pm_"}"#, #"{"payment_method":"card_visa"}"#,
            #"{"payment_method":"pm_card_mastercard"}"#, #"{"payment_method":"pm_card_visa "}"#,
            #"{"payment_method":"pm_card_visa\u0000"}"#, #"{"payment_method":"pm_../../customers"}"#,
            #"{"payment_method":"pm_card_vısa"}"#,
            "{\"payment_method\":\"pm_\(String(repeating: "x", count: 253))\"}",
        ])
    func badFields(body: String) async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let answer = try await app.post(Self.path, body, token: person.token)
            #expect(answer.status == 400 && answer.badFields == ["payment_method"], "\(answer)")
            #expect(try await app.profile(person.token)["payment_verified"] == .bool(false))
        }
    }

    @Test("Only a signed-in user who exists has one")
    func refusals() async throws {
        try await RunningAccounts.with { app in
            for answer in [try await app.post(Self.path, Self.good), try await app.send(.DELETE, Self.path)] {
                #expect(answer.status == 403 && answer.text("code") == "not_authenticated")
            }
            let nobody = Claims.user(.init(id: UUID(), flags: [], tokenID: 1))
            let path = RunningAccounts.path + Self.path
            #expect(try await app.raw(.POST, path, .init(string: Self.good), claims: nobody).status == 404)
            #expect(try await app.raw(.DELETE, path, claims: nobody).status == 404)
            #expect(try await app.sql("SELECT count(*) FROM accounts.payment_attempts") == "0")
        }
    }

    @Test("Removing it is 204, also when there is none, and every token says so before the answer")
    func remove() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            #expect(try await app.send(.DELETE, Self.path, token: person.token).status == 204)
            #expect(try await app.post(Self.path, Self.good, token: person.token).status == 200)
            for _ in 0..<2 {
                let answer = try await app.send(.DELETE, Self.path, token: person.token)
                #expect(answer.status == 204 && answer.body.readableBytes == 0)
                #expect(try await Self.isVerified(person.token, in: app) == false)
                #expect(try await app.profile(person.token)["payment_verified"] == .bool(false))
            }
            #expect(try await app.post(Self.path, Self.good, token: person.token).status == 200)
            #expect(try await app.profile(person.token)["payment_verified"] == .bool(true))
        }
    }

    @Test("Many at once leave one method; attaching and removing at once leave either, and never half of it")
    func race() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await app.post(Self.path, Self.good, token: person.token).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 8))
            #expect(try await app.profile(person.token)["payment_verified"] == .bool(true))
            #expect(try await app.sql("SELECT count(*) FROM accounts.payment_methods") == "1")
            #expect(
                try await app.sql("SELECT count(*) FROM accounts.payment_attempts WHERE state = 'pending'") == "0")
            for _ in 0..<5 {
                async let attached = app.post(Self.path, Self.good, token: person.token)
                async let removed = app.send(.DELETE, Self.path, token: person.token)
                #expect(try await (attached.status, removed.status) == (200, 204))
                let rows = try await app.sql("SELECT count(*) FROM accounts.payment_methods")
                #expect(try await app.profile(person.token)["payment_verified"] == .bool(rows == "1"))
                #expect(try await Self.isVerified(person.token, in: app) == (rows == "1"))
            }
        }
    }

    @Test("Without Stripe there is no webhook")
    func noWebhook() async throws {
        try await RunningAccounts.with { app in
            let answer = try await app.post("/stripe-webhook", "{}")
            #expect(answer.status == 404)
        }
    }
}
