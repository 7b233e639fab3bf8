import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

@Suite("The contract of every route")
struct ContractTests {
    @Test("Every route is documented with who may use it and what it reads, and every documented one is served")
    func openAPI() async throws {
        let document = try OpenAPIDocument.load()
        let documented = document.operations.filter { $0.key.path.hasPrefix(RunningHeroes.path) }
        try await RunningHeroes.with { app in
            let routes = app.table.routes.filter { $0.path.hasPrefix("/api/") }
            #expect(routes.count == 7)
            #expect(Set(documented.keys.map(\.description)) == Set(routes.map(\.description)))
            for route in routes {
                let details = documented[.init(method: route.method.rawValue, path: route.path)]
                #expect(details?.isPublic == (route.access == .public), "\(route)")
                #expect(details?.hasBody == (route.accepts == .json), "\(route)")
                #expect(details?.parameters.contains("IdempotencyKey") == (route.accepts == .json), "\(route)")
                let always =
                    [503] + (route.accepts == .json ? [400, 413, 415, 422] : []) + (route.access == .user ? [403] : [])
                #expect(details?.statuses.isSuperset(of: always) == true, "\(route): \(details?.statuses ?? [])")
            }
        }
    }

    @Test("A body that is not one JSON object of a bearable size and type is refused, on every route that reads one")
    func bodies() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let claims = Claims.user(.of(hero.user.id, [.emailVerified, .staff]))
            for route in app.table.routes where route.accepts == .json {
                let method = HTTPMethod(rawValue: route.method.rawValue)
                func send(_ text: String, _ type: String = "application/json") async throws -> Answer {
                    try await app.raw(
                        method, route.path, ByteBuffer(string: text), claims: claims, [("content-type", type)])
                }
                for text in [
                    "", "null", "[]", "{", "{}x", "{\"a\":\"\\ud800\"}", "\u{FEFF}{}", #"{"a":01}"#,
                    String(repeating: #"{"a":"#, count: 40) + "1" + String(repeating: "}", count: 40),
                ] {
                    let answer = try await send(text)
                    #expect(answer.status == 400 && answer.text("code") == "malformed_json", "\(route) \(text)")
                }
                #expect(try await send("{}" + String(repeating: " ", count: 64 * 1024)).status == 413)
                #expect(try await send("{}", "text/plain").status == 415)
                for member in ["hero_id", "title", "rate_in_cents", "linkedin_url"] {
                    for value in ["\"' OR 1=1; --\"", "\"\u{202E}\"", "1e400", "{\"\":{}}", "-0"] {
                        let answer = try await send("{\"\(member)\":\(value)}")
                        #expect(answer.status < 500, "\(route) \(member) \(value): \(answer)")
                    }
                }
            }
            #expect(!app.log.text.contains(#""level":"error""#))
        }
    }

    @Test("A path answers alike with and without a slash; a method that it lacks is 405 with those it has")
    func paths() async throws {
        try await RunningHeroes.with { app in
            for (path, routes) in Dictionary(grouping: app.table.routes, by: \.path) {
                let target = path.replacing("{id}", with: "1")
                let claims: Claims =
                    if case .service(let names) = routes[0].access {
                        .service(names.sorted()[0])
                    } else {
                        .user(.of(UUID(), [.staff]))
                    }
                var allowed = Set(routes.map(\.method.rawValue))
                if allowed.contains("GET") { allowed.insert("HEAD") }
                for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                    let body = ["POST", "PATCH"].contains(method) ? ByteBuffer(string: "{}") : nil
                    let answers = [
                        try await app.raw(HTTPMethod(rawValue: method), target, body, claims: claims),
                        try await app.raw(HTTPMethod(rawValue: method), target + "/", body, claims: claims),
                    ]
                    #expect(answers[0].status == answers[1].status, "\(method) \(path)")
                    #expect((answers[0].status == 405) == !allowed.contains(method), "\(method) \(path): \(answers[0])")
                    if answers[0].status == 405 {
                        // One place has the methods of its own; `/profile` is also a hero's name nowhere.
                        #expect(answers[0].headers["allow"] == [allowed.sorted().joined(separator: ", ")])
                    }
                }
            }
        }
    }

    @Test(
        "The same key does the same thing once, and with another body it is refused",
        arguments: ["apply", "profile", "accept", "decline"])
    func idempotency(name: String) async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            let newcomer = Claims.User.of(app.accounts.register().id)
            let (method, body, other, user): (HTTPMethod, String, String, Claims.User) =
                switch name {
                case "apply":
                    (.POST, RunningHeroes.application(), RunningHeroes.application(["title": #""x""#]), newcomer)
                case "profile": (.PATCH, #"{"rate_in_cents":7}"#, #"{"rate_in_cents":8}"#, hero.user)
                default: (.POST, #"{"hero_id":\#(hero.heroID)}"#, #"{"hero_id":99}"#, RunningHeroes.staff)
                }
            let key = [("idempotency-key", UUID().uuidString)]
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<5 {
                    group.addTask { try await app.send(method, "/\(name)", body, as: user, headers: key) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers.map(\.status)) == [name == "apply" ? 201 : 200], "\(answers)")
            #expect(answers.allSatisfy { $0.body == answers[0].body })
            let reused = try await app.send(method, "/\(name)", other, as: user, headers: key)
            #expect(reused.status == 422 && reused.text("code") == "idempotency_key_reused", "\(reused)")
            // What has changed since doesn't change the answer.
            if name == "profile" {
                _ = try await app.send(.PATCH, "/profile", #"{"rate_in_cents":9}"#, as: hero.user)
                let again = try await app.send(method, "/profile", body, as: user, headers: key)
                #expect(again.integer("rate_in_cents") == 7)
                #expect(try await app.sql("SELECT rate_in_cents FROM heroes.heroes") == "9")
            }
        }
    }
}
