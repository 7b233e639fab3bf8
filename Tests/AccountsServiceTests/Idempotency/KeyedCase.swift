import Foundation
import NIOHTTP1
import Testing

/// A route that takes an `Idempotency-Key`, and what shows how often it took effect.
struct KeyedCase: Sendable, CustomTestStringConvertible {
    /// A request that can succeed.
    struct Asking: Sendable {
        var method = HTTPMethod.POST
        var path: String
        var body: String
        /// Another body that could succeed as well.
        var other: String
        var token: String?
        /// Counts the effects: an expression of SQL.
        var effects: String
    }

    let testDescription: String
    let success: Int
    let prepare: @Sendable (RunningAccounts) async throws -> Asking

    var isPublic: Bool { ["register", "login", "request-password", "reset-password"].contains(testDescription) }

    private init(
        _ name: String, _ success: Int = 200, _ prepare: @escaping @Sendable (RunningAccounts) async throws -> Asking
    ) {
        testDescription = name
        self.success = success
        self.prepare = prepare
    }

    private static func tokens(_ person: RunningAccounts.Person) -> String {
        "(SELECT count(*) FROM accounts.auth_tokens WHERE user_id = '\(person.id)')"
    }

    private static func events(_ type: String, _ person: RunningAccounts.Person) -> String {
        "(SELECT count(*) FROM accounts.outbox WHERE subject = '\(person.id)' AND type = '\(type)')"
    }

    private static func deliveries(_ kind: String, _ person: RunningAccounts.Person) -> String {
        "(SELECT count(*) FROM accounts.deliveries WHERE recipient = '\(person.id)' AND kind = '\(kind)')"
    }

    private static func number() -> String { String(UInt64.random(in: 2_000_000_000...9_999_999_999)) }

    /// Every POST and PATCH of clients; that there is no other one, ``IdempotencyTests`` sees to.
    static let all: [KeyedCase] = [
        KeyedCase("register", 201) { _ in
            let email = RunningAccounts.address()
            let users = "(SELECT id FROM accounts.users WHERE email = '\(email)')"
            return Asking(
                path: "/register", body: RunningAccounts.registration(email: email),
                other: RunningAccounts.registration(email: email, password: "password2"),
                effects: """
                    (SELECT count(*) FROM accounts.auth_tokens WHERE user_id IN \(users))
                    * (SELECT count(*) FROM accounts.deliveries WHERE recipient IN \(users))
                    * (SELECT count(*) FROM accounts.outbox WHERE subject IN (SELECT id::text FROM \(users) u))
                    """)
        },
        KeyedCase("login") { app in
            let person = try await app.register()
            return Asking(
                path: "/login", body: #"{"email":"\#(person.email)","password":"password1"}"#,
                other: #"{"email":"\#(person.email.uppercased())","password":"password1"}"#,
                effects: "\(tokens(person)) - 1")
        },
        KeyedCase("profile") { app in
            let person = try await app.register()
            let number = number()
            return Asking(
                method: .PATCH, path: "/profile", body: #"{"first_name":"Ann","phone":"\#(number)"}"#,
                other: #"{"first_name":"Eve","phone":"\#(number)"}"#, token: person.token,
                effects: "\(events("user.updated", person)) * \(deliveries("verify-phone", person))")
        },
        KeyedCase("verify-email") { app in
            let person = try await app.register()
            let code = try await app.mailedCode(to: person.email, "verify-email")
            return Asking(
                path: "/verify-email", body: #"{"token":"\#(code)"}"#, other: #"{"token":" \#(code)"}"#,
                token: person.token, effects: events("user.verified", person))
        },
        KeyedCase("verify-phone") { app in
            let person = try await app.register()
            let number = number()
            _ = try await app.patch(#"{"phone":"\#(number)"}"#, token: person.token)
            let code = try await app.smsCode(to: number)
            return Asking(
                path: "/verify-phone", body: #"{"token":"\#(code)"}"#, other: #"{"token":" \#(code)"}"#,
                token: person.token, effects: events("user.verified", person))
        },
        KeyedCase("change-password") { app in
            let person = try await app.register()
            _ = try await app.newToken(person)
            func body(_ new: String) -> String { #"{"old_password":"password1","new_password":"\#(new)"}"# }
            return Asking(
                path: "/change-password", body: body("newpass1"), other: body("newpass2"), token: person.token,
                effects: "\(events("token.revoked", person)) * \(tokens(person))")
        },
        KeyedCase("request-password") { app in
            let person = try await app.member()
            return Asking(
                path: "/request-password", body: #"{"email":"\#(person.email)"}"#,
                other: #"{"email":"\#(person.email.uppercased())"}"#, effects: deliveries("reset-password", person))
        },
        KeyedCase("reset-password") { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            func body(_ new: String) -> String { #"{"token":"\#(code)","new_password":"\#(new)"}"# }
            return Asking(
                path: "/reset-password", body: body("newpass1"), other: body("newpass2"), token: person.token,
                effects: "\(events("token.revoked", person)) * \(tokens(person))")
        },
        KeyedCase("payment-method") { app in
            let person = try await app.register()
            return Asking(
                path: "/payment-method", body: #"{"payment_method":"pm_card_visa"}"#,
                other: #"{"payment_method":"pm_card_chargeDeclined"}"#, token: person.token,
                effects: """
                    \(events("user.verified", person))
                    * (SELECT count(*) FROM accounts.payment_attempts WHERE user_id = '\(person.id)')
                    """)
        },
    ]
}

extension RunningAccounts {
    func send(_ asking: KeyedCase.Asking, key: String, body: String? = nil, slash: Bool = false) async throws -> Answer
    {
        try await send(
            asking.method, asking.path + (slash ? "/" : ""), body ?? asking.body, token: asking.token,
            headers: [("idempotency-key", key)])
    }

    func effects(_ asking: KeyedCase.Asking) async throws -> String { try await sql("SELECT \(asking.effects)") }
}
