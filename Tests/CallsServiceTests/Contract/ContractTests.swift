import CallsDomain
import Events
import Foundation
import Idempotency
import Identity
import Logging
import NIOCore
import NIOHTTP1
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import CallsService

extension RunningCalls {
    /// The routes as they are served.
    func table(_ client: PostgresClient) throws -> RouteTable {
        let outbox = Outbox(service: "calls")
        let secret = try SecretKey(Self.secret)
        let nobody = InternalClient(name: "calls", addresses: [], seal: IdentitySeal(secret), http: .shared)
        return Calls(
            postgres: client, outbox: outbox, newRequests: NewRequests(client, outbox, executor: nil),
            idempotency: Idempotency(schema: "calls", secret: secret),
            users: UserCopies(postgres: client, accounts: nobody), heroes: HeroCopies(postgres: client, heroes: nobody),
            pages: PageLinks(publicURL: Self.publicURL), ledger: EventLedger(outbox, postgres: client),
            reminders: ReminderBell(), now: Instant.now
        ).routes
    }
}

@Suite struct ContractTests {
    @Test func `Every route is documented with what it reads and answers, and every documented one is served`()
        async throws
    {
        let document = try OpenAPIDocument.load()
        let documented = document.operations.filter { $0.key.path.hasPrefix(RunningCalls.path) }
        try await RunningCalls.with { app async throws in
            try await app.withClient { client in
                let routes = try app.table(client).routes.filter { $0.path.hasPrefix("/api/") }
                #expect(routes.count == 7)
                #expect(Set(documented.keys.map(\.description)) == Set(routes.map(\.description)))
                for route in routes {
                    let details = documented[.init(method: route.method.rawValue, path: route.path)]
                    #expect(details?.isPublic == false && details?.hasBody == (route.accepts == .json), "\(route)")
                    var statuses: Set = [200, 403, 503]
                    if route.accepts == .json { statuses.formUnion([400, 413, 415, 422]) }
                    #expect(details?.parameters.contains("IdempotencyKey") == (route.accepts == .json), "\(route)")
                    if route.path.contains("{id}") || route.path.hasSuffix("requests") && route.method == .get {
                        statuses.insert(404)
                    }
                    #expect(details?.statuses.isSuperset(of: statuses) == true, "\(route)")
                }
            }
        }
        #expect(document.loose.isEmpty && document.ambiguousIDs.isEmpty)
    }

    @Test func `With a slash at its end a path answers as without, and other methods are 405`() async throws {
        try await RunningCalls.with { app async throws in
            let user = app.person()
            let paths = ["", "/1", "/1/accept", "/1/decline", "/1/new-times", "/1/agreed-time"]
            let methods: [Set<String>] =
                [["GET", "HEAD", "POST"], ["GET", "HEAD"]] + Array(repeating: ["PATCH"], count: 4)
            for (path, allowed) in zip(paths, methods) {
                for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                    let body = ["POST", "PUT", "PATCH"].contains(method) ? "{}" : nil
                    let answer = try await app.send(HTTPMethod(rawValue: method), path, body, as: user)
                    let slashed = try await app.send(HTTPMethod(rawValue: method), path + "/", body, as: user)
                    #expect(answer.status == slashed.status && answer.text("code") == slashed.text("code"))
                    #expect((answer.status == 405) == !allowed.contains(method), "\(method) \(path): \(answer)")
                    guard answer.status == 405 else { continue }
                    #expect(answer.headers["allow"] == [allowed.sorted().joined(separator: ", ")])
                }
            }
            for path in ["/1/other", "/1/accept/x", "//1", "/1//accept", "/1/Accept"] {
                #expect(try await app.send(.GET, path, as: user).status == 404, "\(path)")
            }
        }
    }

    @Test func `Bodies that are no JSON object, too large or of another type are refused on every route`() async throws
    {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            let routes: [(HTTPMethod, String, Claims.User)] = [
                (.POST, "/", cam), (.PATCH, "/\(id)/accept", tom.user), (.PATCH, "/\(id)/decline", tom.user),
                (.PATCH, "/\(id)/new-times", cam), (.PATCH, "/\(id)/agreed-time", cam),
            ]
            let deep = #"{"a":"# + String(repeating: "[", count: 32) + String(repeating: "]", count: 32) + "}"
            for (method, path, user) in routes {
                for text in ["", "null", "[]", "1", "{", "{}x", "{}{}", #"{"a":"\ud800"}"#, "{'a':1}", deep] {
                    #expect(try await app.send(method, path, text, as: user).has(.malformedJSON), "\(path) \(text)")
                }
                let large = "{}" + String(repeating: " ", count: 64 * 1024)
                #expect(try await app.send(method, path, large, as: user).has(.payloadTooLarge), "\(path)")
                let other = try await app.send(method, path, "{}", as: user, headers: [("content-type", "text/plain")])
                #expect(other.has(.unsupportedMediaType), "\(path)")
                // Whatever a client sends is the client's fault.
                for value in [
                    "1e400", "-0", "\"\\u0000\"", "{\"\":{}}", "\"\(String(repeating: "9", count: 60_000))\"",
                ] {
                    let names = [
                        "hero_id", "message", "estimated_length", "time_one", "time_two", "reason", "agreed_time",
                    ]
                    let body =
                        "{"
                        + names.map { "\"\($0)\":\(value.count > 100 && $0 != "message" ? "1" : value)" }
                        .joined(separator: ",") + "}"
                    let answer = try await app.send(method, path, body, as: user)
                    #expect(answer.has(.invalid), "\(path) \(value.prefix(40)) \(answer)")
                }
            }
            #expect(try await app.events(of: id) == ["call.requested"])
        }
    }

    @Test func `What can't be written and what nobody knows is ignored`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let body =
                RunningCalls.asking(tom.id).dropLast()
                + #","id":5,"user":"x","status":"a","reason":"x","agreed_time":"x","rate_in_cents":0,"times":[1],"created":1}"#
            let answer = try await app.send(.POST, "/", String(body), as: cam)
            #expect(answer.status == 200 && answer.text("status") == "o" && answer.text("user") == cam.id.text)
            #expect(try await app.sql("SELECT rate_in_cents FROM calls.requests") == "100")
        }
    }

    @Test func `Nothing secret is logged, and a request is logged once`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person("Camilla"), app.hero())
            let body = RunningCalls.asking(tom.id, message: "my private words")
            let answer = try await app.send(
                .POST, "/", body, as: cam, key: "my-private-key", headers: [("x-request-id", "request-1")])
            #expect(answer.status == 200)
            let log = app.log.text
            for text in ["private", "Camilla", RunningCalls.secret] { #expect(!log.contains(text), "\(text)") }
            #expect(log.split(separator: "\n").filter { $0.contains("request-1") }.count == 1)
        }
    }
}
