import Foundation
import Logging
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

@Suite("Logging in and out")
struct LoginTests {
    @Test("The right password gets another token, the address in any case")
    func success() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let answer = try await app.post(
                "/login", #"{"email":"\#(person.email.uppercased())","password":"password1"}"#)
            #expect(answer.status == 200)
            #expect(Set(answer.members.keys) == RegisterTests.fields)
            let token = try #require(answer.text("token"))
            #expect(token != person.token)
            #expect(try await app.profile(token).status == 200)
            #expect(try await app.profile(person.token).status == 200)
        }
    }

    @Test("A wrong password and an unknown address are answered alike")
    func wrong() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let wrong = try await app.login(person, password: "password2")
            let unknown = try await app.post("/login", #"{"email":"nobody@example.com","password":"password1"}"#)
            let malformed = try await app.post("/login", #"{"email":"nobody","password":""}"#)
            for answer in [wrong, unknown, malformed] {
                #expect(answer.status == 403)
                #expect(answer.text("detail") == wrong.text("detail") && answer.text("code") == wrong.text("code"))
            }
        }
    }

    @Test("Missing and mistyped fields are bad data", arguments: ["{}", #"{"email":1,"password":null}"#])
    func badFields(body: String) async throws {
        try await RunningAccounts.with { app in
            let answer = try await app.post("/login", body)
            #expect(answer.status == 400 && answer.badFields == ["email", "password"])
        }
    }

    @Test("With the twenty-first token the oldest ends, in Redis too")
    func tokenLimit() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            #expect(try await app.profile(person.token).status == 200)
            var tokens: [String] = []
            for _ in 0..<19 { tokens.append(try await app.newToken(person)) }
            #expect(try await app.profile(person.token).status == 200)
            tokens.append(try await app.newToken(person))
            #expect(try await app.profile(person.token).status == 403)
            for token in tokens { #expect(try await app.profile(token).status == 200) }
            #expect(try await app.sql("SELECT count(*) FROM accounts.auth_tokens") == "20")
            #expect(try await app.redisCopy(of: person.token) == "revoked")
        }
    }

    @Test("Logging out ends this token and no other, and can be done again")
    func logout() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let other = try await app.newToken(person)
            let answer = try await app.send(.DELETE, "/logout", token: person.token)
            #expect(answer.status == 204 && answer.body.readableBytes == 0)
            #expect(try await app.profile(person.token).status == 403)
            #expect(try await app.profile(other).status == 200)
            #expect(try await app.send(.DELETE, "/logout", token: person.token).status == 403)
            #expect(try await app.send(.DELETE, "/logout").status == 403)
            #expect(try await app.redisCopy(of: person.token) == "revoked")
        }
    }

    @Test("A token lives 24 hours while the email is unverified, 7 days once it is")
    func lifetimes() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let member = try await app.member()
            app.clock.advance(by: .seconds(86_300))
            #expect(try await app.profile(person.token).status == 200)
            app.clock.advance(by: .seconds(101))
            #expect(try await app.profile(person.token).status == 403)
            #expect(try await app.profile(member.token).status == 200)
            app.clock.advance(by: .seconds(6 * 86_400))
            #expect(try await app.profile(member.token).status == 403)
        }
    }

    @Test("A hash made with other parameters is renewed by the next login")
    func rehash() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let hash = try await PasswordHasher(
                secret: .init(RunningAccounts.secret), parameters: .init(logN: 5, r: 8, p: 2), threads: 1,
                executable: RunningProcess.path(of: "accounts"), logger: Logger(label: "test")
            ).hash("password1")
            try await app.sql("UPDATE accounts.users SET password_hash = '\(hash.text)'")
            #expect(try await app.login(person).status == 200)
            let renewed = try await app.sql("SELECT password_hash FROM accounts.users")
            #expect(renewed.hasPrefix("$scrypt$ln=4,r=8,p=1$"))
            #expect(try await app.login(person).status == 200)
        }
    }

    @Test("Beyond the queue's bound logins are sent away with 503 and Retry-After")
    func overload() async throws {
        var options = RunningAccounts.Options()
        options.settings["PASSWORD_QUEUE"] = "1"
        options.work = .init(logN: 14, r: 8, p: 1)
        try await RunningAccounts.with(options) { app in
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<24 {
                    group.addTask { try await app.post("/login", #"{"email":"a@b.co","password":"password1"}"#) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let refused = answers.filter { $0.status == 503 }
            #expect(!refused.isEmpty && refused.count < 24)
            #expect(refused.allSatisfy { $0.headers.first(name: "retry-after") != nil })
            #expect(Set(answers.map(\.status)) == [403, 503])
        }
    }
}
