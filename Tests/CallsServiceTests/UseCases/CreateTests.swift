import CallsDomain
import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct CreateTests {
    static let members: Set<String> = [
        "id", "user", "hero", "message", "estimated_length", "status", "reason", "times", "agreed_time", "created",
        "updated",
    ]

    @Test func `A request is answered with all of it, and shown the same`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let answer = try await app.send(.POST, "/", RunningCalls.asking(tom.id, length: 45), as: cam)
            #expect(answer.status == 200 && Set(answer.members.keys) == Self.members, "\(answer)")
            #expect(answer.text("user") == cam.id.text && answer.integer("hero") == tom.id)
            #expect(answer.text("message") == "Help me" && answer.integer("estimated_length") == 45)
            #expect(answer.text("status") == "o" && answer.text("reason") == "")
            #expect(answer["times"] == .array([]) && answer["agreed_time"] == .null)
            #expect(answer.text("created")?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
            #expect(answer["created"] == answer["updated"])
            #expect(try await app.show(answer.id, as: cam).members == answer.members)
            #expect(try await app.show(answer.id, as: tom.user).members == answer.members)
            #expect(try await app.events(of: answer.id) == ["call.requested"])
        }
    }

    @Test func `A hero's id may be a number or its digits, and nothing else`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            func asking(_ id: String) -> String { #"{"hero_id":\#(id),"message":"m","estimated_length":15}"# }
            for good in ["\(tom.id)", "\"\(tom.id)\"", "\(tom.id).0", "\"0\(tom.id)\""] {
                let answer = try await app.send(.POST, "", asking(good), as: app.person())
                #expect(answer.status == 200 && answer.integer("hero") == tom.id, "\(good): \(answer)")
            }
            for bad in [
                "0", "-1", "1.5", "null", "true", "[]", "{}", #""""#, #""-1""#, #""+1""#, #"" 1""#, #""1.0""#, #""x""#,
                "9223372036854775808", #""9223372036854775808""#, "1e400", #""\#(UUID().uuidString)""#, #""1\u0000""#,
                #""\u0661""#,
            ] {
                let answer = try await app.send(.POST, "", asking(bad), as: app.person())
                #expect(answer.has(.invalid) && answer.badFields == ["hero_id"], "\(bad): \(answer)")
            }
        }
    }

    @Test func `What a user lacks is said in order, before the body is looked at`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            let lacking: [(UserFlags, ProblemCode)] = [
                ([], .emailUnverified), ([.phoneVerified, .paymentVerified], .emailUnverified),
                ([.emailVerified], .phoneUnverified), ([.emailVerified, .paymentVerified], .phoneUnverified),
                ([.emailVerified, .phoneVerified], .paymentUnverified),
            ]
            for (flags, code) in lacking {
                for body in [RunningCalls.asking(tom.id), "{}", "x"] {
                    #expect(try await app.send(.POST, "/", body, as: app.person("Cam", flags)).has(code))
                }
            }
            #expect(try await app.send(.POST, "/", "x").has(.notAuthenticated))
            // Verified a moment ago: the next token says so, whatever was known here.
            var cam = app.person("Cam", [])
            #expect(try await app.send(.POST, "/", RunningCalls.asking(tom.id), as: cam).status == 403)
            cam.flags = .verified
            #expect(try await app.send(.POST, "/", RunningCalls.asking(tom.id), as: cam).status == 200)
        }
    }

    @Test func `Every bad field is named at once, the hero among them`() async throws {
        try await RunningCalls.with { app async throws in
            let cam = app.person()
            let fields: Set<String> = ["hero_id", "message", "estimated_length"]
            let bodies = [
                "{}", #"{"hero_id":5,"message":"","estimated_length":20}"#,
                #"{"hero_id":null,"message":null,"estimated_length":null}"#,
                #"{"hero_id":[],"message":5,"estimated_length":"15"}"#,
                #"{"hero_id":5,"message":"a\u0000","estimated_length":0}"#,
                "{\"hero_id\":5,\"message\":\"\(String(repeating: "a", count: 501))\",\"estimated_length\":135}",
            ]
            for body in bodies {
                let answer = try await app.send(.POST, "/", body, as: cam)
                #expect(answer.has(.invalid) && answer.badFields == fields, "\(answer)")
            }
            let pending = app.hero(accepted: false)
            let own = app.hero()
            for (hero, user) in [(999, cam), (pending.id, cam), (own.id, own.user)] {
                let answer = try await app.send(.POST, "/", RunningCalls.asking(hero), as: user)
                #expect(answer.has(.invalid) && answer.badFields == ["hero_id"], "\(answer)")
            }
            #expect(try await app.sql("SELECT count(*) FROM calls.requests") == "0")
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == "0")
        }
    }

    @Test func `Lengths and messages at their ends are taken`() async throws {
        try await RunningCalls.with { app async throws in
            let cam = app.person()
            for length in stride(from: 15, through: 120, by: 15) {
                let text = length == 15 ? "a" : String(repeating: "字", count: 500)
                let body = RunningCalls.asking(app.hero().id, length: length, message: text)
                let answer = try await app.send(.POST, "/", body, as: cam)
                #expect(answer.status == 200 && answer.text("message") == text)
            }
        }
    }

    @Test func `A pair has one open request, whoever comes first`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let answers = try await all(Array(0..<16)) { index in
                try await app.send(.POST, "/", RunningCalls.asking(tom.id), as: cam, replica: index % 2)
            }
            #expect(answers.statuses == [200: 1, 409: 15])
            #expect(answers.filter { $0.status == 409 }.allSatisfy { $0.has(.conflict) })
            #expect(try await app.sql("SELECT count(*) FROM calls.requests") == "1")
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == "1")
            // Another hero, another user, and the same pair once the first request is decided.
            _ = try await app.ask(app.hero(), as: cam)
            _ = try await app.ask(tom, as: app.person())
            let id = answers.map(\.id).max() ?? 0
            #expect(try await app.send(.PATCH, "/\(id)/decline", #"{"reason":"no"}"#, as: tom.user).status == 200)
            _ = try await app.ask(tom, as: cam)
        }
    }

    @Test func `A hero accepted a moment ago can be asked, whatever is known here`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero(accepted: false)
            let path = "/internal/v1/heroes/\(tom.id)"
            #expect(try await app.send(.POST, "/", RunningCalls.asking(tom.id), as: app.person()).status == 400)
            #expect(try await app.sql("SELECT accepted FROM calls.heroes WHERE id = \(tom.id)") == "f")
            app.heroes.put("\(tom.id)", RunningCalls.heroBlock(tom.id, tom.user.id, rate: 250, version: 2))
            let id = try await app.ask(tom, as: app.person())
            #expect(try await app.sql("SELECT rate_in_cents FROM calls.requests WHERE id = \(id)") == "250")
            #expect(app.heroes.calls(path) == 2)
            // From now on it is known; and what was asked for keeps its rate.
            app.heroes.setAway(true)
            _ = try await app.ask(tom, as: app.person())
            #expect(app.heroes.calls(path) == 2)
            try await app.sql("UPDATE calls.heroes SET rate_in_cents = 999, version = 3")
            #expect(try await app.sql("SELECT DISTINCT rate_in_cents FROM calls.requests") == "250")
        }
    }

    @Test func `While heroes is away, who is known can be asked and who is not is for later`() async throws {
        try await RunningCalls.with { app async throws in
            let (tom, unknown) = (app.hero(), app.hero())
            _ = try await app.ask(tom, as: app.person())
            app.heroes.setAway(true)
            _ = try await app.ask(tom, as: app.person())
            let cam = app.person()
            let answer = try await app.send(.POST, "/", RunningCalls.asking(unknown.id), as: cam)
            #expect(answer.has(.temporarilyUnavailable) && answer.headers.first(name: "retry-after") != nil)
            // What is wrong anyhow is said.
            let bad = try await app.send(.POST, "/", RunningCalls.asking(unknown.id, length: 20), as: cam)
            #expect(bad.has(.invalid) && bad.badFields == ["estimated_length"])
            app.heroes.setAway(false)
            _ = try await app.ask(unknown, as: cam)
        }
    }
}
