import Foundation
import NIOCore
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

/// An event as its row has it, in the envelope that its readers get.
struct Published: Sendable {
    var type: String
    var data: [String: JSONValue]
    var envelope: JSONValue
    var text: String
}

extension RunningAccounts {
    /// Everything that was published, in the order in which it was written, but for what was there before.
    func published(after id: Int = 0) async throws -> [Published] {
        let rows = try await sql(
            """
            SELECT json_build_object('specversion', '1.0', 'id', event_id, 'source', 'accounts', 'type', type,
                'subject', subject, 'datacontenttype', 'application/json', 'position', id,
                'time', to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                'recipients', recipients, 'traceparent', traceparent, 'data', data)
            FROM accounts.outbox WHERE id > \(id) ORDER BY id
            """)
        return try rows.split(separator: "\n").map { line in
            let members = try JSONParser.object(ByteBuffer(string: String(line)))
            guard case .string(let type)? = members["type"], case .object(let data)? = members["data"] else {
                throw TestFailure("no event: \(line)")
            }
            return Published(type: type, data: data, envelope: .object(members), text: String(line))
        }
    }
}

@Suite("What accounts publishes")
struct PublishingTests {
    /// A story in which every event happens.
    private static func story(
        _ app: RunningAccounts, _ body: (_ person: RunningAccounts.Person, _ secrets: [String]) async throws -> Void
    ) async throws {
        let person = try await app.member()
        var secrets = [person.email, person.token, "password1", "password2"]
        #expect(try await app.patch(#"{"first_name":"Tom","phone":"2125550143"}"#, token: person.token).status == 200)
        let code = try await app.smsCode(to: "2125550143")
        #expect(try await app.post("/verify-phone", #"{"token":"\#(code)"}"#, token: person.token).status == 200)
        let visa = #"{"payment_method":"pm_card_visa"}"#
        #expect(try await app.post("/payment-method", visa, token: person.token).status == 200)
        #expect(try await app.post("/payment-method", visa, token: person.token).status == 200)
        #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
        #expect(try await app.send(.DELETE, "/payment-method", token: person.token).status == 204)
        #expect(try await app.patch(#"{"phone":null}"#, token: person.token).status == 200)
        #expect(try await app.patch(#"{"phone":null}"#, token: person.token).status == 200)
        // Changes of what nobody else sees.
        #expect(try await app.patch(#"{"is_active":true,"first_name":"Tom"}"#, token: person.token).status == 200)
        let other = try await app.newToken(person)
        secrets += [code, other, "2125550143"]
        #expect(try await app.send(.DELETE, "/logout", token: other).status == 204)
        try await body(person, secrets)
    }

    @Test("Each change is told once, with the ids and flags that its readers need, and nothing changed tells nothing")
    func events() async throws {
        try await RunningAccounts.with { app in
            try await Self.story(app) { person, _ in
                let events = try await app.published()
                #expect(
                    events.map(\.type) == [
                        "user.registered", "user.verified", "user.updated", "user.verified", "user.verified",
                        "user.verified", "user.verified", "token.revoked",
                    ])
                #expect(events[0].data["id"] == .string(person.id) && events[0].data["version"] == .integer(1))
                #expect(events[2].data["first_name"] == .string("Tom") && events[2].data["version"] == .integer(2))
                let flags = events.filter { $0.type == "user.verified" }.map { event in
                    ["email", "phone", "payment"].map { event.data["\($0)_verified"] == .bool(true) }
                }
                #expect(
                    flags == [
                        [true, false, false], [true, true, false], [true, true, true], [true, true, false],
                        [true, false, false],
                    ])
            }
        }
    }

    @Test("Every event is as its schema says and looks as its sample does, and each schema has an event")
    func schemas() async throws {
        try await RunningAccounts.with { app in
            try await Self.story(app) { _, _ in
                let events = try await app.published()
                let types = try EventSchema.types(of: "accounts")
                #expect(Set(events.map(\.type)) == Set(types))
                for event in events {
                    let faults = try EventSchema(service: "accounts", type: event.type).faults(of: event.envelope)
                    #expect(faults.isEmpty, "\(event.type)")
                }
                for type in types {
                    let sample = try EventSchema.sample(service: "accounts", type: type)
                    #expect(try EventSchema(service: "accounts", type: type).faults(of: sample).isEmpty)
                    // Null and a value in one place are as good as each other.
                    let shapes = events.filter { $0.type == type }.map(\.envelope.shape)
                    let nullable: Set<String> = [".data.profile_image:string", ".traceparent:string"]
                    #expect(shapes.allSatisfy { $0.symmetricDifference(sample.shape).isSubset(of: nullable) })
                }
            }
        }
    }

    @Test("A schema finds what is wrong")
    func schemaFaults() throws {
        guard case .object(var event) = try EventSchema.sample(service: "accounts", type: "user.verified"),
            case .object(var data)? = event["data"]
        else { throw TestFailure("no sample") }
        data["email"] = .string("somebody@example.com")
        data["phone_verified"] = .string("true")
        event["data"] = .object(data)
        event["position"] = .integer(0)
        event["subject"] = nil
        #expect(try EventSchema(service: "accounts", type: "user.verified").faults(of: .object(event)).count == 4)
    }

    @Test("No event holds an email address, a phone number, a code, a password or a token")
    func secrets() async throws {
        try await RunningAccounts.with { app in
            try await Self.story(app) { _, secrets in
                let text = try await app.published().map(\.text).joined()
                for secret in secrets { #expect(!text.contains(secret)) }
            }
        }
    }

    @Test("What fails publishes nothing")
    func failures() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let rival = try await app.member()
            #expect(
                try await app.patch(#"{"email":"\#(rival.email)"}"#, token: person.token).status == 200)
            let code = try await app.mailedCode(to: rival.email, "verify-email", count: 2)
            let before = try await app.published().count
            let registration = RunningAccounts.registration(email: person.email)
            #expect(try await app.post("/register", registration).status == 409)
            #expect(try await app.post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token).status == 409)
            #expect(try await app.post("/verify-phone", #"{"token":"aaaaaa"}"#, token: person.token).status == 404)
            #expect(try await app.patch(#"{"first_name":""}"#, token: person.token).status == 400)
            let wrong = #"{"old_password":"password9","new_password":"password2"}"#
            #expect(try await app.post("/change-password", wrong, token: person.token).status == 400)
            let declined = #"{"payment_method":"pm_card_chargeDeclined"}"#
            #expect(try await app.post("/payment-method", declined, token: person.token).status == 402)
            #expect(try await app.published().count == before)
        }
    }

    @Test("Tokens that end before their time are named: the oldest of too many, all others of a new password")
    func revoked() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let ids = try await app.sql("SELECT id FROM accounts.auth_tokens ORDER BY id")
            var newest = ""
            for _ in 0..<20 { newest = try await app.newToken(person) }
            let first = try #require(Int64(ids))
            #expect(try await app.revokedTokens() == [[first]])

            let change = #"{"old_password":"password1","new_password":"password2"}"#
            #expect(try await app.post("/change-password", change, token: newest).status == 200)
            let kept = try #require(Int64(try await app.sql("SELECT id FROM accounts.auth_tokens")))
            let ended = try await app.revokedTokens()
            #expect(ended.count == 2 && ended[1].count == 19 && !ended[1].contains(kept))

            #expect(try await app.post("/request-password", #"{"email":"\#(person.email)"}"#).status == 200)
            let code = try await app.mailedCode(to: person.email, "reset-password")
            let reset = #"{"token":"\#(code)","new_password":"password3"}"#
            #expect(try await app.post("/reset-password", reset).status == 200)
            #expect(try await app.revokedTokens().last == [kept])
        }
    }

    @Test("An event goes on with the trace of the request that caused it")
    func trace() async throws {
        try await RunningAccounts.with { app in
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let answer = try await app.send(
                .POST, "/register", RunningAccounts.registration(), headers: [("traceparent", parent)])
            #expect(answer.status == 201)
            #expect(try await app.published().first?.text.contains("00-4bf92f3577b34da6a3ce929d0e0e4736-") == true)
        }
    }
}

extension RunningAccounts {
    fileprivate func revokedTokens() async throws -> [[Int64]] {
        try await published().filter { $0.type == "token.revoked" }.map { event in
            guard case .array(let ids)? = event.data["tokens"] else { throw TestFailure("no tokens") }
            return ids.compactMap { if case .integer(let id) = $0 { id } else { nil } }
        }
    }
}
