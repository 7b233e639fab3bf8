import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

@Suite("Changing the password")
struct ChangePasswordTests {
    static func body(_ old: String, _ new: String) -> String {
        #"{"old_password":"\#(old)","new_password":"\#(new)"}"#
    }

    @Test("The new password counts, the token used stays and all others end, in Redis too")
    func success() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let others = [try await app.newToken(person), try await app.newToken(person)]
            for token in others { #expect(try await app.profile(token).status == 200) }
            let answer = try await app.post(
                "/change-password", Self.body("password1", "newpass1"), token: person.token)
            #expect(answer.status == 200 && answer.body.readableBytes == 0)
            #expect(try await app.profile(person.token).status == 200)
            for token in others {
                #expect(try await app.profile(token).status == 403)
                #expect(try await app.redisCopy(of: token) == "revoked")
            }
            #expect(try await app.login(person).status == 403)
            #expect(try await app.login(person, password: "newpass1").status == 200)
        }
    }

    @Test("A wrong old password is bad data and changes nothing")
    func wrong() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let other = try await app.newToken(person)
            let answer = try await app.post(
                "/change-password", Self.body("password2", "newpass1"), token: person.token)
            #expect(answer.status == 400 && answer.badFields == ["old_password"])
            #expect(try await app.profile(other).status == 200)
            #expect(try await app.login(person).status == 200)
        }
    }

    @Test("Both fields are named when both are bad")
    func badFields() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let long = "1" + String(repeating: "x", count: 128)
            let bodies = [
                "{}", #"{"old_password":null,"new_password":1}"#, Self.body("short1", "withoutdigit"),
                Self.body(long, long), Self.body(#"pass\u0000word1"#, #"\u0000"#),
            ]
            for body in bodies {
                let answer = try await app.post("/change-password", body, token: person.token)
                #expect(answer.status == 400 && answer.badFields == ["old_password", "new_password"], "\(answer)")
            }
            let longest = "1" + String(repeating: "é", count: 127)
            #expect(
                try await app.post("/change-password", Self.body("password1", longest), token: person.token).status
                    == 200)
            #expect(try await app.login(person, password: longest).status == 200)
        }
    }

    @Test("Only a signed-in user who exists changes a password")
    func refusals() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let body = Self.body("password1", "newpass1")
            let anonymous = try await app.post("/change-password", body)
            #expect(anonymous.status == 403 && anonymous.text("code") == "not_authenticated")
            let nobody = Claims.user(.init(id: UUID(), flags: [], tokenID: 1))
            let answer = try await app.raw(
                .POST, "/api/v1/accounts/change-password", .init(string: body), claims: nobody)
            #expect(answer.status == 404)
            #expect(try await app.login(person).status == 200)
        }
    }

    @Test("Whoever has an unused reset code has nothing any more")
    func endsResetCode() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            #expect(
                try await app.post("/change-password", Self.body("password1", "newpass1"), token: person.token)
                    .status == 200)
            #expect(try await app.reset(code, "otherpass1").status == 404)
            #expect(try await app.login(person, password: "newpass1").status == 200)
        }
    }

    @Test("Of several changes at once one counts; the others no longer have the right old password")
    func race() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let answers = try await withThrowingTaskGroup(of: (String, Int).self) { group in
                for index in 0..<6 {
                    group.addTask {
                        let new = "newpass\(index)"
                        let answer = try await app.post(
                            "/change-password", Self.body("password1", new), token: person.token)
                        return (new, answer.status)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.1).sorted() == [200, 400, 400, 400, 400, 400])
            for (password, status) in answers {
                #expect(try await app.login(person, password: password).status == (status == 200 ? 200 : 403))
            }
            #expect(try await app.profile(person.token).status == 200)
        }
    }

    @Test("No token that the old password got outlives the change, however close the two were")
    func loginRace() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            var tokens: [String] = []
            try await withThrowingTaskGroup(of: String?.self) { group in
                for index in 0..<12 {
                    group.addTask {
                        guard index == 6 else { return try await app.login(person).text("token") }
                        let answer = try await app.post(
                            "/change-password", Self.body("password1", "newpass1"), token: person.token)
                        #expect(answer.status == 200)
                        return nil
                    }
                }
                for try await token in group { if let token { tokens.append(token) } }
            }
            for token in tokens { #expect(try await app.profile(token).status == 403) }
            #expect(try await app.profile(person.token).status == 200)
        }
    }

    @Test("While Redis is away the change holds and is answered 503; Redis hears of the ended tokens when it is back")
    func redisAway() async throws {
        var options = RunningAccounts.Options()
        let redis = try await TestRedis.start(options: ["--appendonly", "yes"])
        options.redis = redis
        try await RunningAccounts.with(options) { app in
            let person = try await app.register()
            let other = try await app.newToken(person)
            #expect(try await app.profile(other).status == 200)
            try await redis.stop()
            let answer = try await app.post(
                "/change-password", Self.body("password1", "newpass1"), token: person.token)
            #expect(answer.status == 503 && answer.headers.first(name: "retry-after") != nil)
            #expect(try await app.profile(other).status == 403)
            #expect(try await app.login(person, password: "newpass1").status == 200)
            try await redis.start()
            try await TestKitPolling.until("Redis knows") { try await app.redisCopy(of: other) == "revoked" }
        }
    }
}
