import TestKit
import Testing

@testable import AccountsService

@Suite("While Redis is away")
struct RedisAwayTests {
    private static func with(_ body: @Sendable (RunningAccounts, TestRedis) async throws -> Void) async throws {
        var options = RunningAccounts.Options()
        let redis = try await TestRedis.start(options: ["--appendonly", "yes"])
        options.redis = redis
        try await RunningAccounts.with(options) { try await body($0, redis) }
    }

    @Test("What ends tokens or takes rights is 503, and again when it is repeated, until Redis knows")
    func repeated() async throws {
        try await Self.with { app, redis in
            let person = try await app.register()
            let (ended, third) = (try await app.newToken(person), try await app.newToken(person))
            _ = try await app.patch(#"{"phone":"2345678901"}"#, token: person.token)
            let code = try await app.smsCode(to: "2345678901")
            #expect(try await app.post("/verify-phone", #"{"token":"\#(code)"}"#, token: person.token).status == 200)
            let payment = PaymentMethodTests.path
            #expect(try await app.post(payment, PaymentMethodTests.good, token: person.token).status == 200)
            for token in [person.token, ended, third] { #expect(try await app.profile(token).status == 200) }
            // The gateway may go on to take the token for a live one.
            let claims = try await app.claims(of: ended)
            func logout() async throws -> Answer {
                try await app.raw(.DELETE, RunningAccounts.path + "/logout", claims: claims)
            }
            func removePayment() async throws -> Answer {
                try await app.send(.DELETE, payment, token: person.token)
            }
            func clearPhone() async throws -> Answer {
                try await app.patch(#"{"phone":null}"#, token: person.token)
            }
            func changePassword(_ old: String, _ new: String) async throws -> Answer {
                try await app.post("/change-password", ChangePasswordTests.body(old, new), token: person.token)
            }

            try await redis.stop()
            for _ in 0..<2 {
                for answer in [try await logout(), try await removePayment(), try await clearPhone()] {
                    #expect(answer.status == 503 && answer.headers.first(name: "retry-after") != nil, "\(answer)")
                }
            }
            #expect(try await changePassword("password1", "newpass1").status == 503)
            // There is no other token left that it could end.
            #expect(try await changePassword("newpass1", "newpass2").status == 503)
            #expect(try await app.sql("SELECT count(*) FROM accounts.auth_tokens") == "1")
            #expect(try await app.sql("SELECT payment_verified, phone_verified FROM accounts.users") == "f|f")

            try await redis.start()
            try await eventually("Redis is heard of") { try await logout().status == 204 }
            for token in [ended, third] { #expect(try await app.redisCopy(of: token) == "revoked") }
            #expect(try await PaymentMethodTests.isVerified(person.token, in: app) == false)
            #expect(try await removePayment().status == 204)
            #expect(try await clearPhone().status == 200)
            #expect(try await changePassword("newpass2", "newpass3").status == 200)
        }
    }

    @Test("A login with twenty tokens succeeds; Redis hears of the one that ended when it is back")
    func tokenLimit() async throws {
        try await Self.with { app, redis in
            let person = try await app.register()
            for _ in 0..<19 { _ = try await app.newToken(person) }
            #expect(try await app.profile(person.token).status == 200)
            try await redis.stop()
            let answer = try await app.login(person)
            #expect(answer.status == 200 && answer.text("token") != nil, "\(answer)")
            #expect(try await app.profile(person.token).status == 403)
            #expect(try await app.sql("SELECT count(*) FROM accounts.auth_tokens") == "20")
            try await redis.start()
            try await eventually("Redis knows") { try await app.redisCopy(of: person.token) == "revoked" }
        }
    }
}
