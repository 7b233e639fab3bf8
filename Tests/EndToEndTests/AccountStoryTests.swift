import Foundation
import TestKit
import Testing

@Suite("An account, from registration to a new password, through the gateway") struct AccountStoryTests {
    @Test func `the whole story, which leaves no secret in a log or at rest`() async throws {
        let stack = try await RunningStack.start()
        let client = stack.client
        let accounts = "/api/v1/accounts"
        var secrets: [String] = []

        let ada = try await stack.person()
        secrets += [ada.token, ada.password]
        var profile = try await client.ask(.GET, "\(accounts)/profile", token: ada.token)
        #expect(profile.status == 200)
        #expect(profile.json["email_verified"] as? Bool == false)

        let code = try await stack.mailedCode("verify-email", to: ada.email)
        secrets.append(code)
        #expect(
            try await client.ask(.POST, "\(accounts)/verify-email", token: ada.token, #"{"token": "\#(code)"}"#).status
                == 200)
        #expect(
            try await client.ask(.POST, "\(accounts)/verify-email", token: ada.token, #"{"token": "\#(code)"}"#).status
                == 404)

        let phone = "2125550199"
        #expect(
            try await client.ask(.PATCH, "\(accounts)/profile", token: ada.token, #"{"phone": "\#(phone)"}"#)
                .text("phone_pending") == phone)
        let textCode = try await stack.textedCode(to: phone)
        secrets += [textCode, phone]
        #expect(
            try await client.ask(.POST, "\(accounts)/verify-phone", token: ada.token, #"{"token": "\#(textCode)"}"#)
                .text("phone") == phone)
        #expect(
            try await client.ask(
                .POST, "\(accounts)/payment-method", token: ada.token, #"{"payment_method": "pm_card_visa"}"#
            ).json["payment_verified"] as? Bool == true)

        let second = try await stack.login(ada)
        secrets += [second, "better-horse-2", "best-horse-3"]
        #expect(
            try await client.ask(
                .POST, "\(accounts)/change-password", token: second,
                #"{"old_password": "\#(ada.password)", "new_password": "better-horse-2"}"#
            ).status == 200)
        #expect(try await client.ask(.GET, "\(accounts)/profile", token: ada.token).status == 403)
        #expect(try await client.ask(.GET, "\(accounts)/profile", token: second).status == 200)
        #expect(try await client.ask(.DELETE, "\(accounts)/logout", token: second).status == 204)
        #expect(try await client.ask(.GET, "\(accounts)/profile", token: second).status == 403)

        #expect(
            try await client.ask(.POST, "\(accounts)/request-password", #"{"email": "\#(ada.email)"}"#).status == 200)
        let reset = try await stack.mailedCode("reset-password", to: ada.email)
        let answer = try await client.ask(
            .POST, "\(accounts)/reset-password", #"{"token": "\#(reset)", "new_password": "best-horse-3"}"#)
        #expect(answer.status == 200)
        let third = try #require(answer.text("token"))
        secrets += [reset, third, ada.email]
        profile = try await client.ask(.GET, "\(accounts)/profile/", token: third)
        #expect(profile.json["email_verified"] as? Bool == true)
        #expect(profile.json["is_staff"] == nil)

        let logs = stack.logs
        #expect(logs.contains("/api/v1/accounts/register"), "there is nothing to search")
        for secret in secrets { #expect(!logs.contains(secret), "in a log: \(secret)") }

        // A code leaves its row with the message; all other secrets are never there. Addresses may be at rest.
        let notAtRest = secrets.filter { $0 != phone && $0 != ada.email }
        try await eventually("no secret at rest") {
            let dump = try await run(["pg_dump", "--dbname=\(stack.postgres.uri(database: stack.database))"])
            return notAtRest.allSatisfy { !dump.contains($0) }
        }
        var redis = try await stack.redis.cli("--raw", "KEYS", "*")
        for key in redis.split(separator: "\n").map(String.init) {
            redis += try await stack.redis.cli("--raw", "GET", key)
        }
        for secret in secrets { #expect(!redis.contains(secret), "in Redis: \(secret)") }
        try await stack.end()
    }

    @Test func `staff is granted on the command line, from the next request of a token already issued`() async throws {
        let stack = try await RunningStack.start()
        let person = try await stack.person(verified: true)
        #expect(try await stack.client.ask(.GET, "/api/v1/accounts/profile", token: person.token).status == 200)
        // Of staff it is only asked whom they mean.
        func decide() async throws -> Int {
            try await stack.client.ask(.POST, "/api/v1/heroes/accept", token: person.token, #"{"hero_id": 1}"#).status
        }
        #expect(try await decide() == 403)
        try await stack.command(.accounts, ["staff", "grant", person.email])
        // Redis tells the gateway, as the command ends.
        try await eventually("staff") { try await decide() == 400 }
        #expect(try await stack.command(.accounts, ["staff", "list"]).contains(person.email))
        let copies = try await stack.redis.cli("--raw", "EVAL", Self.values, "0")
        #expect(copies.split(separator: "\n").contains { $0.split(separator: " ").dropFirst(3).first == "3" })
        try await stack.command(.accounts, ["staff", "revoke", person.email])
        try await eventually("no staff any more") { try await decide() == 403 }
        #expect(try await !stack.command(.accounts, ["staff", "list"]).contains(person.email))
        try await stack.end()
    }

    @Test func `sixteen registrations of one address at once make one account`() async throws {
        let stack = try await RunningStack.start()
        let body = RunningStack.registration(Person.address(), "correct-horse-1")
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<16 {
                group.addTask { try await stack.client.ask(.POST, "/api/v1/accounts/register", body).status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 201 }.count == 1)
        #expect(statuses.filter { $0 == 409 }.count == 15)
        try await stack.end()
    }

    private static let values = """
        local values = {}
        for _, key in ipairs(redis.call('KEYS', 'techheroes:token:*')) do table.insert(values, redis.call('GET', key)) end
        return values
        """
}
