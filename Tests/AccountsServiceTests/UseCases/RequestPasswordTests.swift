import Foundation
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Asking for a new password")
struct RequestPasswordTests {
    static func body(_ email: String) -> String { #"{"email":"\#(email)"}"# }
    static let detail = "A reset code has been sent to your email address."

    @Test("A verified address gets a mail with a link, and the answer says so")
    func success() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let answer = try await app.post("/request-password", Self.body(person.email.uppercased()))
            #expect(answer.status == 200 && answer.members == ["detail": .string(Self.detail)])
            let code = try await app.mailedCode(to: person.email, "reset-password")
            #expect(code.wholeMatch(of: /[a-z0-9]{8}/) != nil)
            // Nothing has ended yet: whoever asked need not be the owner.
            #expect(try await app.profile(person.token).status == 200)
            #expect(try await app.login(person).status == 200)
        }
    }

    @Test("Unknown and unverified addresses are not found, and nothing is sent")
    func unknown() async throws {
        try await RunningAccounts.with { app in
            let unverified = try await app.register()
            let member = try await app.member()
            let pending = RunningAccounts.address()
            #expect(try await app.patch(Self.body(pending), token: member.token).status == 200)
            _ = try await app.mailedCode(to: pending, "verify-email")
            let before = try await app.sql("SELECT count(*) FROM accounts.deliveries")
            for email in [unverified.email, pending, RunningAccounts.address()] {
                let answer = try await app.post("/request-password", Self.body(email))
                #expect(answer.status == 404 && answer.text("code") == "not_found", "\(answer)")
            }
            #expect(try await app.sql("SELECT count(*) FROM accounts.deliveries") == before)
            #expect(try await app.sql("SELECT count(*) FROM accounts.codes WHERE purpose = 'password'") == "0")
        }
    }

    @Test("What is no address is bad data, whether or not accounts are hidden", arguments: ["false", "true"])
    func badFields(isSafe: String) async throws {
        var options = RunningAccounts.Options()
        options.settings["ENUMERATION_SAFE"] = isSafe
        try await RunningAccounts.with(options) { app in
            let bodies = [
                "{}", #"{"email":null}"#, #"{"email":1}"#, #"{"email":["a@b.co"]}"#, Self.body("nobody"),
                Self.body(#"a@b.co\u0000"#), Self.body(""), Self.body(String(repeating: "a", count: 250) + "@b.co"),
            ]
            for body in bodies {
                let answer = try await app.post("/request-password", body)
                #expect(answer.status == 400 && answer.badFields == ["email"], "\(answer)")
            }
        }
    }

    @Test("Where accounts are hidden every address gets the same answer, and only a verified one a mail")
    func enumerationSafe() async throws {
        var options = RunningAccounts.Options()
        options.settings["ENUMERATION_SAFE"] = "true"
        try await RunningAccounts.with(options) { app in
            let unverified = try await app.register()
            let member = try await app.member()
            let unknown = RunningAccounts.address()
            var headers: Set<[String]> = []
            for email in [unknown, unverified.email, member.email] {
                let answer = try await app.post("/request-password", Self.body(email))
                #expect(answer.status == 200 && answer.members == ["detail": .string(Self.detail)], "\(answer)")
                headers.insert(answer.headers.map { $0.name.lowercased() }.sorted())
            }
            #expect(headers.count == 1)
            // The last in the queue has left, so the others would have.
            _ = try await app.mailedCode(to: member.email, "reset-password")
            #expect(try app.mails(to: unknown).isEmpty)
            #expect(try app.mails(to: unverified.email).allSatisfy { !$0.contains("reset-password") })
            #expect(try await app.sql("SELECT count(*) FROM accounts.codes WHERE purpose = 'password'") == "1")
            // What stands in for a message is never one that waits, and holds no address.
            #expect(
                try await app.sql(
                    "SELECT count(*), count(payload) FROM accounts.deliveries WHERE state = 'void'") == "2|0")
        }
    }

    @Test("Of several codes the newest is the one that counts, also when all were asked for at once")
    func newest() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask { try await app.post("/request-password", Self.body(person.email)).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 6))
            let newest = try await app.mailedCode(to: person.email, "reset-password", count: 6)
            let codes = try app.mails(to: person.email).compactMap {
                $0.firstMatch(of: /reset-password\/([a-z0-9]{8})/).map { String($0.1) }
            }
            #expect(Set(codes).count == 6 && codes.last == newest)
            for code in codes.dropLast() { #expect(try await app.reset(code, "newpass1").status == 404) }
            #expect(try await app.reset(newest, "newpass1").status == 200)
        }
    }
}
