import Foundation
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Resetting the password")
struct ResetPasswordTests {
    @Test("The code sets the password and signs in; every token from before ends, in Redis too")
    func success() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let other = try await app.newToken(person)
            for token in [person.token, other] { #expect(try await app.profile(token).status == 200) }
            let code = try await app.resetCode(person)
            let answer = try await app.reset(" \(code.uppercased())\\n", "newpass1")
            #expect(answer.status == 200 && Set(answer.members.keys) == RegisterTests.fields)
            #expect(answer.text("id") == person.id && answer["email_verified"] == .bool(true))
            let token = try #require(answer.text("token"))
            #expect(try await app.profile(token).status == 200)
            for old in [person.token, other] {
                #expect(try await app.profile(old).status == 403)
                #expect(try await app.redisCopy(of: old) == "revoked")
            }
            #expect(try await app.sql("SELECT count(*) FROM accounts.auth_tokens") == "1")
            #expect(try await app.login(person).status == 403)
            #expect(try await app.login(person, password: "newpass1").status == 200)
        }
    }

    @Test("A code is used once")
    func reuse() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            let token = try #require(try await app.reset(code, "newpass1").text("token"))
            let again = try await app.reset(code, "newpass2")
            #expect(again.status == 404 && again.text("code") == "not_found")
            #expect(try await app.profile(token).status == 200)
            #expect(try await app.login(person, password: "newpass1").status == 200)
        }
    }

    @Test("A code lives an hour and not a moment more")
    func expiry() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let late = try await app.resetCode(person)
            app.clock.advance(by: .seconds(3600))
            #expect(try await app.reset(late, "newpass1").status == 404)
            let intime = try await app.resetCode(person, count: 2)
            app.clock.advance(by: .seconds(3599))
            #expect(try await app.reset(intime, "newpass1").status == 200)
        }
    }

    @Test("A setting says how long a code lives")
    func lifetimeSetting() async throws {
        var options = RunningAccounts.Options()
        options.settings["PASSWORD_CODE_SECONDS"] = "10"
        try await RunningAccounts.with(options) { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            app.clock.advance(by: .seconds(10))
            #expect(try await app.reset(code, "newpass1").status == 404)
        }
    }

    @Test("Five wrong tries end a code; four don't")
    func tries() async throws {
        try await RunningAccounts.with { app in
            for tries in [4, 5] {
                let person = try await app.member()
                let code = try await app.resetCode(person)
                for number in 0..<tries {
                    #expect(try await app.reset(Self.wrong(code, number), "newpass1").status == 404)
                }
                #expect(try await app.reset(code, "newpass1").status == (tries < 5 ? 200 : 404))
                #expect(
                    try await app.login(person, password: "newpass1").status == (tries < 5 ? 200 : 403))
            }
        }
    }

    @Test("Tries at once count as tries one after another")
    func triesRace() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<8 {
                    group.addTask { try await app.reset(Self.wrong(code, number), "newpass1").status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 404, count: 8))
            #expect(try await app.reset(code, "newpass1").status == 404)
            #expect(try await app.sql("SELECT tries FROM accounts.codes WHERE purpose = 'password'") == "5")
        }
    }

    @Test("Bad fields are named together and use nothing up")
    func badFields() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            let bodies = [
                "{}", #"{"token":null,"new_password":null}"#, #"{"token":12345678,"new_password":["newpass1"]}"#,
                #"{"token":"abc","new_password":"short1"}"#, #"{"token":"abcd 234","new_password":"withoutdigit"}"#,
                #"{"token":"abcd23\u0000","new_password":"newpass\u00001"}"#,
                #"{"token":"\#(code)x","new_password":"1\#(String(repeating: "x", count: 128))"}"#,
            ]
            for body in bodies {
                let answer = try await app.post("/reset-password", body)
                #expect(answer.status == 400 && answer.badFields == ["token", "new_password"], "\(answer)")
            }
            for _ in 0..<5 {
                #expect(try await app.reset(code, "short1").badFields == ["new_password"])
            }
            #expect(try await app.reset(code, "newpass1").status == 200)
        }
    }

    @Test("A token that is no good doesn't matter here")
    func badToken() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            let answer = try await app.send(
                .POST, "/reset-password", Self.body(code, "newpass1"), token: "ccf66788480947c48e7c7a3eb168ee12")
            #expect(answer.status == 200)
        }
    }

    @Test("A code of another purpose resets nothing")
    func otherPurpose() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let code = try await app.mailedCode(to: person.email, "verify-email")
            #expect(try await app.reset(String(code.prefix(8)), "newpass1").status == 404)
            #expect(try await app.login(person).status == 200)
        }
    }

    @Test("When the address changes, a code that went to the old one ends")
    func addressChanged() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let new = RunningAccounts.address()
            #expect(try await app.patch(#"{"email":"\#(new)"}"#, token: person.token).status == 200)
            let verification = try await app.mailedCode(to: new, "verify-email")
            let code = try await app.resetCode(person)
            #expect(
                try await app.post("/verify-email", #"{"token":"\#(verification)"}"#, token: person.token).status
                    == 200)
            #expect(try await app.reset(code, "newpass1").status == 404)
        }
    }

    @Test("Of many resets with one code at once one wins, and its password and token are the only ones")
    func race() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            let answers = try await withThrowingTaskGroup(of: (String, Answer).self) { group in
                for index in 0..<8 {
                    group.addTask { ("newpass\(index)", try await app.reset(code, "newpass\(index)")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.1.status).sorted() == [200] + Array(repeating: 404, count: 7))
            #expect(try await app.sql("SELECT count(*) FROM accounts.auth_tokens") == "1")
            for (password, answer) in answers {
                let isWinner = answer.status == 200
                if isWinner { #expect(try await app.profile(answer.text("token")).status == 200) }
                #expect(try await app.login(person, password: password).status == (isWinner ? 200 : 403))
            }
        }
    }

    @Test("A reset and a change of password at once: whichever is second decides, and only one password works")
    func resetAndChange() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let code = try await app.resetCode(person)
            async let reset = app.reset(code, "resetpass1")
            async let change = app.post(
                "/change-password", ChangePasswordTests.body("password1", "changepass1"), token: person.token)
            let statuses = (try await reset.status, try await change.status)
            // The change drops the code; the reset makes the old password wrong and ends the token.
            #expect(statuses == (404, 200) || statuses == (200, 400) || statuses == (200, 403))
            let working = try await ["password1", "resetpass1", "changepass1"].asyncFilter {
                try await app.login(person, password: $0).status == 200
            }
            #expect(working == [statuses.0 == 200 ? "resetpass1" : "changepass1"])
        }
    }

    static func body(_ code: String, _ password: String) -> String {
        #"{"token":"\#(code)","new_password":"\#(password)"}"#
    }

    /// A code that begins the same way and is another: so a try counts against this one.
    static func wrong(_ code: String, _ number: Int) -> String {
        let others = "abcdefgh".filter { $0 != code.last }
        return code.dropLast() + String(others[others.index(others.startIndex, offsetBy: number % others.count)])
    }
}

extension Array {
    fileprivate func asyncFilter(_ isIncluded: (Element) async throws -> Bool) async rethrows -> [Element] {
        var result: [Element] = []
        for element in self where try await isIncluded(element) { result.append(element) }
        return result
    }
}
