import Foundation
import Identity
import ServiceKit
import Testing

@testable import AccountsService

@Suite("The profile")
struct ProfileTests {
    @Test("Without a good token it is refused, and for a user who is gone there is none")
    func refusals() async throws {
        try await RunningAccounts.with { app in
            for answer in [
                try await app.profile(nil), try await app.profile("ccf66788480947c48e7c7a3eb168ee12"),
                try await app.patch("{}", token: nil),
            ] {
                #expect(answer.status == 403 && answer.text("code") == "not_authenticated")
            }
            let nobody = Claims.user(.init(id: UUID(), flags: [], tokenID: 1))
            #expect(try await app.raw(.GET, "/api/v1/accounts/profile", claims: nobody).status == 404)
            #expect(try await app.raw(.GET, "/api/v1/accounts/profile", claims: .unverifiable).status == 503)
            #expect(try await app.raw(.GET, "/api/v1/accounts/profile/", claims: nobody).status == 404)
            let person = try await app.register()
            #expect(try await app.send(.HEAD, "/profile", token: person.token).status == 200)
            let wrongMethod = try await app.send(.PUT, "/profile", "{}", token: person.token)
            #expect(wrongMethod.status == 405 && wrongMethod.headers.first(name: "allow") == "GET, HEAD, PATCH")
        }
    }

    @Test("Any subset of the fields changes, the rest stays, and what can't be written is ignored")
    func patch() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let before = try await app.profile(person.token)
            app.clock.advance(by: .seconds(1))
            let same = try await app.patch("{}", token: person.token)
            #expect(same.status == 200 && same.members == before.members)
            let answer = try await app.patch(
                #"{"first_name":" Tom","is_active":true,"email_notifications":true,"profile_image":"http://a/b","timezone":"Europe/Paris","id":"x","is_staff":true,"email_verified":true,"phone_verified":true,"payment_verified":true,"created":1,"updated":1,"email_pending":null}"#,
                token: person.token)
            #expect(answer.status == 200)
            var expected = before.members
            expected["first_name"] = .string("Tom")
            expected["is_active"] = .bool(true)
            expected["email_notifications"] = .bool(true)
            expected["profile_image"] = .string("http://a/b")
            expected["timezone"] = .string("Europe/Paris")
            expected["updated"] = answer["updated"]
            #expect(answer.members == expected && answer["updated"] != before["updated"])
            #expect(try await app.sql("SELECT is_staff FROM accounts.users") == "f")
            let cleared = try await app.patch(#"{"profile_image":null}"#, token: person.token)
            #expect(cleared["profile_image"] == .null && cleared.text("first_name") == "Tom")
        }
    }

    @Test("All bad fields are named at once and nothing is half-written")
    func badFields() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let before = try await app.profile(person.token)
            let all: Set<String> = [
                "first_name", "last_name", "email", "email_notifications", "phone", "profile_image", "is_active",
                "timezone",
            ]
            let wrongTypes =
                #"{"first_name":1,"last_name":{},"email":[],"email_notifications":"true","phone":1234567890,"profile_image":1,"is_active":0,"timezone":true}"#
            #expect(try await app.patch(wrongTypes, token: person.token).badFields == all)
            let wrongValues =
                #"{"first_name":"","last_name":"\u0000","email":"a","email_notifications":1,"phone":"123","profile_image":"ftp://a","is_active":"","timezone":"Nowhere"}"#
            #expect(try await app.patch(wrongValues, token: person.token).badFields == all)
            let nulls =
                #"{"first_name":null,"last_name":null,"email":null,"email_notifications":null,"is_active":null,"timezone":null}"#
            let answer = try await app.patch(nulls, token: person.token)
            #expect(answer.status == 400 && answer.badFields == all.subtracting(["phone", "profile_image"]))
            #expect(try await app.patch(#"{"first_name":"Tom","phone":"1"}"#, token: person.token).status == 400)
            #expect(try await app.profile(person.token).members == before.members)
        }
    }

    @Test("A new address waits for its code, becomes the user's, and the old one is told")
    func newAddress() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let new = RunningAccounts.address()
            let waiting = try await app.patch(#"{"email":"\#(new.uppercased())"}"#, token: person.token)
            #expect(waiting.status == 200 && waiting.text("email") == person.email)
            #expect(waiting["email_verified"] == .bool(true) && waiting.text("email_pending") == new)
            let code = try await app.mailedCode(to: new, "verify-email")
            let answer = try await app.post(
                "/verify-email", #"{"token":" \#(code.uppercased()) "}"#, token: person.token)
            #expect(answer.status == 200 && answer.text("email") == new && answer["email_pending"] == .null)
            #expect(answer["token"] == nil)
            try await TestKitPolling.until("a mail to the old address") {
                try app.mails(to: person.email).contains { $0.contains("was changed") }
            }
            #expect(try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status == 404)
            #expect(try await app.login(person).status == 403)
        }
    }

    @Test("The same unverified address gets a new code, at most one in 60 seconds; a verified one gets none")
    func resend() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let first = try await app.mailedCode(to: person.email, "verify-email")
            let body = #"{"email":"\#(person.email)","first_name":"Tom"}"#
            #expect(try await app.patch(body, token: person.token).status == 200)
            let second = try await app.mailedCode(to: person.email, "verify-email", count: 2)
            app.clock.advance(by: .seconds(59))
            let limited = try await app.patch(
                #"{"email":"\#(person.email)","first_name":"No"}"#, token: person.token)
            #expect(limited.status == 429 && limited.headers.first(name: "retry-after") == "1")
            #expect(try await app.profile(person.token).text("first_name") == "Tom")
            app.clock.advance(by: .seconds(1))
            #expect(try await app.patch(body, token: person.token).status == 200)
            let third = try await app.mailedCode(to: person.email, "verify-email", count: 3)
            for old in [first, second] {
                #expect(try await app.post("/verify-email", #"{"token":"\#(old)"}"#, token: person.token).status == 404)
            }
            #expect(try await app.post("/verify-email", #"{"token":"\#(third)"}"#, token: person.token).status == 200)
            #expect(try await app.patch(body, token: person.token).status == 200)
            #expect(try await app.sql("SELECT count(*) FROM accounts.deliveries") == "3")
        }
    }

    @Test("Without the rate limit every resend is sent")
    func unlimited() async throws {
        var options = RunningAccounts.Options()
        options.settings["RATE_LIMIT_ENABLED"] = "false"
        try await RunningAccounts.with(options) { app in
            let person = try await app.register()
            for _ in 0..<3 {
                #expect(try await app.patch(#"{"email":"\#(person.email)"}"#, token: person.token).status == 200)
            }
            _ = try await app.mailedCode(to: person.email, "verify-email", count: 4)
        }
    }

    @Test("A taken address isn't told apart until it is verified, which is a conflict")
    func takenAddress() async throws {
        try await RunningAccounts.with { app in
            let owner = try await app.member()
            let person = try await app.member()
            let answer = try await app.patch(#"{"email":"\#(owner.email)"}"#, token: person.token)
            #expect(answer.status == 200 && answer.text("email_pending") == owner.email)
            let code = try await app.mailedCode(to: owner.email, "verify-email", count: 2)
            #expect(try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status == 409)
            #expect(try await app.profile(person.token).text("email") == person.email)
            #expect(try await app.profile(owner.token).text("email") == owner.email)
        }
    }

    @Test("Of two who verify one address at once, one gets it and one hears of a conflict")
    func addressRace() async throws {
        var options = RunningAccounts.Options()
        options.settings["RATE_LIMIT_ENABLED"] = "false"
        try await RunningAccounts.with(options) { app in
            let new = RunningAccounts.address()
            let people = [try await app.member(), try await app.member()]
            var codes: [String] = []
            for (index, person) in people.enumerated() {
                #expect(try await app.patch(#"{"email":"\#(new)"}"#, token: person.token).status == 200)
                codes.append(try await app.mailedCode(to: new, "verify-email", count: index + 1))
            }
            let tries = zip(people, codes).map { ($0.token, $1) }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for (token, code) in tries {
                    group.addTask { try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: token).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200, 409])
        }
    }

    @Test("A number waits for its code; null gives it up; the verified one again is no change")
    func phone() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let waiting = try await app.patch(#"{"phone":"2345678901"}"#, token: person.token)
            #expect(waiting.status == 200 && waiting["phone"] == .null && waiting.text("phone_pending") == "2345678901")
            let code = try await app.smsCode(to: "2345678901")
            let answer = try await app.post("/verify-phone", #"{"token":"\#(code)"}"#, token: person.token)
            #expect(answer.status == 200 && answer.text("phone") == "2345678901")
            #expect(answer["phone_verified"] == .bool(true) && answer["phone_pending"] == .null)
            #expect(try await app.patch(#"{"phone":"2345678901"}"#, token: person.token)["phone_pending"] == .null)
            let changing = try await app.patch(#"{"phone":"3456789012"}"#, token: person.token)
            #expect(changing.text("phone") == "2345678901" && changing.text("phone_pending") == "3456789012")
            let cleared = try await app.patch(#"{"phone":null}"#, token: person.token)
            #expect(cleared["phone"] == .null && cleared["phone_verified"] == .bool(false))
            #expect(cleared["phone_pending"] == .null)
            let other = try await app.smsCode(to: "3456789012")
            #expect(try await app.post("/verify-phone", #"{"token":"\#(other)"}"#, token: person.token).status == 404)
        }
    }
}
