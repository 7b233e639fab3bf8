import Foundation
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Verifying with a code")
struct VerifyTests {
    @Test(
        "Malformed codes are bad data, wrong and strangers' ones not found",
        arguments: ["verify-email", "verify-phone"])
    func refusals(route: String) async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let stranger = try await app.register()
            for body in ["{}", #"{"token":null}"#, #"{"token":1}"#, #"{"token":"abc"}"#, #"{"token":"abc-234567"}"#] {
                let answer = try await app.post("/\(route)", body, token: person.token)
                #expect(answer.status == 400 && answer.badFields == ["token"])
            }
            let wrong = route == "verify-email" ? "aaaaaaaaaa" : "aaaaaa"
            #expect(try await app.post("/\(route)", #"{"token":"\#(wrong)"}"#, token: person.token).status == 404)
            #expect(try await app.post("/\(route)", #"{"token":"\#(wrong)"}"#).status == 403)
            if route == "verify-email" {
                let code = try await app.mailedCode(to: person.email, "verify-email")
                #expect(try await app.post("/\(route)", #"{"token":"\#(code)"}"#, token: stranger.token).status == 404)
                #expect(try await app.post("/\(route)", #"{"token":"\#(code)"}"#, token: person.token).status == 200)
            }
        }
    }

    @Test("Five wrong tries end a code, and then nothing is pending")
    func tries() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let code = try await app.mailedCode(to: person.email, "verify-email")
            for _ in 0..<5 {
                #expect(try await app.profile(person.token).text("email_pending") == person.email)
                #expect(
                    try await app.post("/verify-email", #"{"token":"aaaaaaaaaa"}"#, token: person.token).status == 404)
            }
            #expect(try await app.profile(person.token)["email_pending"] == .null)
            #expect(try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status == 404)
        }
    }

    @Test("A code has its lifetime and not a moment more")
    func expiry() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            #expect(try await app.patch(#"{"phone":"2345678901"}"#, token: person.token).status == 200)
            let code = try await app.smsCode(to: "2345678901")
            app.clock.advance(by: .seconds(600))
            #expect(try await app.profile(person.token)["phone_pending"] == .null)
            #expect(try await app.post("/verify-phone", #"{"token":"\#(code)"}"#, token: person.token).status == 404)
        }
    }

    @Test("Of many uses of one code at once, one succeeds")
    func race() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let code = try await app.mailedCode(to: person.email, "verify-email")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
            #expect(statuses == [200: 1, 404: 7])
        }
    }

    @Test("What is verified is in the copies of all tokens before the answer")
    func flags() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let other = try await app.newToken(person)
            for token in [person.token, other] { #expect(try await app.profile(token).status == 200) }
            try await TestKitPolling.until("its copy") {
                try await app.redisCopy(of: other)?.split(separator: " ")[3] == "0"
            }
            let code = try await app.mailedCode(to: person.email, "verify-email")
            #expect(try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status == 200)
            for token in [person.token, other] {
                #expect(try await app.redisCopy(of: token)?.split(separator: " ")[3] == "2")
            }
        }
    }
}
