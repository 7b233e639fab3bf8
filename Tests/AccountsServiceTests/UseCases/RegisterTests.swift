import Foundation
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Registering")
struct RegisterTests {
    static let fields: Set<String> = [
        "id", "first_name", "last_name", "email", "email_verified", "email_notifications", "phone", "phone_verified",
        "payment_verified", "profile_image", "is_active", "email_pending", "phone_pending", "timezone", "created",
        "updated", "token",
    ]

    @Test("A new user is answered with all of the block and a token that works")
    func success() async throws {
        try await RunningAccounts.with { app in
            let answer = try await app.post(
                "/register",
                #"{"first_name":" Cam ","last_name":"Newton","email":"Cam@Test.com","password":"password1","is_staff":true,"id":1}"#
            )
            #expect(answer.status == 201)
            #expect(Set(answer.members.keys) == Self.fields)
            #expect(answer.text("first_name") == "Cam" && answer.text("email") == "cam@test.com")
            #expect(answer["email_verified"] == .bool(false) && answer["is_active"] == .bool(false))
            #expect(answer.text("email_pending") == "cam@test.com" && answer["phone"] == .null)
            #expect(answer.text("timezone") == "America/Chicago")
            let token = try #require(answer.text("token"))
            #expect(token.wholeMatch(of: /[0-9a-f]{32}/) != nil)
            let profile = try await app.profile(token)
            var expected = answer.members
            expected["token"] = nil
            #expect(profile.status == 200 && profile.members == expected)
            #expect(answer.text("created")?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
        }
    }

    @Test("Every zone and link of the system's database is a time zone")
    func timezones() async throws {
        try await RunningAccounts.with { app in
            for zone in ["Europe/Paris", "US/Central", "UTC", "Asia/Calcutta", "GB"] {
                let answer = try await app.post(
                    "/register",
                    #"{"first_name":"a","last_name":"b","email":"\#(RunningAccounts.address())","password":"password1","timezone":"\#(zone)"}"#
                )
                #expect(answer.status == 201 && answer.text("timezone") == zone)
            }
        }
    }

    @Test("All bad fields are named at once")
    func badFields() async throws {
        try await RunningAccounts.with { app in
            let all: Set<String> = ["first_name", "last_name", "email", "password"]
            #expect(try await app.post("/register", "{}").badFields == all)
            let bodies = [
                #"{"first_name":1,"last_name":[],"email":{},"password":true,"timezone":5}"#,
                #"{"first_name":null,"last_name":null,"email":null,"password":null,"timezone":null}"#,
                #"{"first_name":"a\u0000","last_name":"\u0000","email":"a@b.co\u0000","password":"pass\u0000word1","timezone":"UTC\u0000"}"#,
                #"{"first_name":"","last_name":" ","email":"a","password":"short1","timezone":"../etc/passwd"}"#,
            ]
            for body in bodies {
                let answer = try await app.post("/register", body)
                #expect(answer.status == 400 && answer.badFields == all.union(["timezone"]), "\(answer)")
                #expect(answer.text("code") == "invalid")
            }
            #expect(try await app.sql("SELECT count(*) FROM accounts.users") == "0")
        }
    }

    @Test("What is no JSON object is refused", arguments: ["", "[]", "1", "{", "{}x", "{\"a\":\"\\ud800\"}"])
    func badJSON(body: String) async throws {
        try await RunningAccounts.with { app in
            let answer = try await app.post("/register", body)
            #expect(answer.status == 400, "\(answer)")
        }
    }

    @Test("Of sixteen at once with one address, one registers and fifteen hear of a conflict")
    func race() async throws {
        try await RunningAccounts.with { app in
            let email = RunningAccounts.address()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<16 {
                    let cased = index.isMultiple(of: 2) ? email : email.uppercased()
                    group.addTask { try await app.post("/register", RunningAccounts.registration(email: cased)).status }
                }
                return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
            #expect(statuses == [201: 1, 409: 15])
            #expect(try await app.sql("SELECT count(*) FROM accounts.users") == "1")
            #expect(try await app.sql("SELECT count(*) FROM accounts.deliveries") == "1")
        }
    }

    @Test("A mail with a link arrives, and then the code is nowhere")
    func mail() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let code = try await app.mailedCode(to: person.email, "verify-email")
            #expect(code.count == 10)
            try await eventuallySent(app)
            #expect(try await app.sql("SELECT count(*) FROM accounts.deliveries WHERE payload IS NOT NULL") == "0")
        }
    }

    private func eventuallySent(_ app: RunningAccounts) async throws {
        try await TestKitPolling.until("sent") {
            try await app.sql("SELECT count(*) FROM accounts.deliveries WHERE state = 'sent'") == "1"
        }
    }
}
