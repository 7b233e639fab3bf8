import Foundation
import Identity
import NIOHTTP1
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Routes for our own processes")
struct InternalTests {
    static func isText(_ answer: Answer) -> Bool {
        answer.headers.first(name: "content-type")?.hasPrefix("text/plain") == true
    }

    @Test("Each is for the processes that need it, and for nobody else")
    func access() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let secret = try SecretKey(RunningAccounts.secret)
            let token = try #require(Token(person.token))
            let user = Claims.user(.init(id: try #require(UUID(uuidString: person.id)), flags: [.staff], tokenID: 1))
            let hash = secret.hash(of: token).hex
            let table: [(route: String, path: String, services: Set<String>)] = [
                ("/internal/v1/tokens/{hash}", "/internal/v1/tokens/\(hash)", ["gateway"]),
                ("/internal/v1/users", "/internal/v1/users", ["heroes", "calls"]),
                ("/internal/v1/users/{id}", "/internal/v1/users/\(person.id)", ["heroes", "calls"]),
                ("/internal/v1/users/{id}/public", "/internal/v1/users/\(person.id)/public", ["heroes", "calls"]),
                ("/internal/v1/events", "/internal/v1/events?after=0", ["heroes", "calls", "gateway"]),
            ]
            #expect(Set(table.map(\.route)) == Set(app.table.routes.map(\.path).filter { $0.hasPrefix("/internal") }))
            for (_, path, services) in table {
                for name in ["gateway", "accounts", "heroes", "calls", "", "Gateway", "heroes "] {
                    let answer = try await app.raw(.GET, path, claims: .service(name))
                    #expect(answer.status == (services.contains(name) ? 200 : 403), "\(name) \(path)")
                }
                for claims in [Claims.anonymous, user, .unverifiable] {
                    let answer = try await app.raw(.GET, path, claims: claims)
                    #expect(answer.status == 403 && answer.text("code") == "permission_denied", "\(claims) \(path)")
                }
                // Claims that nobody of ours signed, or that were signed for something else.
                let other = IdentitySeal(try SecretKey("another secret, thirty-two characters or more"))
                let now = WallClock.seconds
                let name = services.sorted()[0]
                let seals: [String] = [
                    "", "s.\(name)", other.sign(.service(name), method: "GET", path: path, now: now),
                    IdentitySeal(secret).sign(.service(name), method: "HEAD", path: path, now: now),
                    IdentitySeal(secret).sign(.service(name), method: "GET", path: path + "/", now: now),
                    IdentitySeal(secret).sign(.service(name), method: "GET", path: path, now: now - 120),
                ]
                for seal in seals {
                    let answer = try await app.raw(
                        .GET, path, claims: .anonymous, [(Claims.headerName, seal)])
                    #expect(answer.status == 403 && answer.text("code") == "not_authenticated", "\(seal) \(path)")
                }
                let post = try await app.raw(.POST, path, .init(string: "{}"), claims: .service(name))
                #expect(post.status == 405 && post.headers.first(name: "allow") == "GET, HEAD")
                #expect(try await app.raw(.HEAD, path, claims: .service(name)).status == 200)
                let slashed = path.contains("?") ? path.replacing("?", with: "/?") : path + "/"
                #expect(try await app.raw(.GET, slashed, claims: .service(name)).status == 200)
            }
        }
    }

    @Test("Our own processes are nobody on a user's routes")
    func servicesAreNoUsers() async throws {
        try await RunningAccounts.with { app in
            for name in ["gateway", "heroes"] {
                let answer = try await app.raw(.GET, "/api/v1/accounts/profile", claims: .service(name))
                #expect(answer.status == 403 && answer.text("code") == "permission_denied")
            }
        }
    }

    @Test("A token's record is on one line, and Redis gets a copy of it")
    func token() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let hash = try SecretKey(RunningAccounts.secret).hash(of: try #require(Token(person.token)))
            #expect(try await app.redisCopy(of: person.token) == nil)
            let answer = try await Self.ask(app, hash.hex)
            #expect(answer.status == 200 && Self.isText(answer))
            let row = try await app.sql("SELECT id, floor(extract(epoch FROM expires)) FROM accounts.auth_tokens")
                .split(separator: "|")
            let text = String(buffer: answer.body)
            #expect(text == "1 1 \(person.id) 0 \(row[0]) \(row[1])")
            try await TestKitPolling.until("a copy") { try await app.redisCopy(of: person.token) == text }
        }
    }

    @Test("What is no live token's hash is not found")
    func noToken() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let hash = try SecretKey(RunningAccounts.secret).hash(of: try #require(Token(person.token))).hex
            for wrong in [
                String(repeating: "0", count: 64), String(hash.dropLast()), hash + "0", person.token,
                "%00", "x",
            ] {
                let answer = try await Self.ask(app, wrong)
                #expect(answer.status == 404 && answer.text("code") == "not_found", "\(wrong) \(answer)")
            }
            app.clock.advance(by: .seconds(86_400))
            #expect(try await Self.ask(app, hash).status == 404)
            let other = try await app.register()
            let otherHash = try SecretKey(RunningAccounts.secret).hash(of: try #require(Token(other.token))).hex
            #expect(try await Self.ask(app, otherHash).status == 200)
            #expect(try await app.send(.DELETE, "/logout", token: other.token).status == 204)
            #expect(try await Self.ask(app, otherHash).status == 404)
        }
    }

    @Test("A user's block is what the user sees; the public one has exactly what anybody may see")
    func users() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            #expect(
                try await app.patch(
                    #"{"phone":"2345678901","profile_image":"http://a/b","timezone":"Europe/Paris"}"#,
                    token: person.token
                ).status == 200)
            let profile = try await app.profile(person.token).members
            let own = try await app.raw(.GET, "/internal/v1/users/\(person.id)", claims: .service("heroes"))
            #expect(own.status == 200 && own.members == profile)
            let path = "/internal/v1/users/\(person.id.uppercased())/public"
            let open = try await app.raw(.GET, path, claims: .service("calls"))
            let names = ["id", "first_name", "last_name", "profile_image", "timezone", "created"]
            var expected = profile.filter { names.contains($0.key) }
            #expect(expected.count == names.count)
            expected["version"] = .integer(2)
            #expect(open.status == 200 && open.members == expected, "\(open)")
        }
    }

    @Test("The version goes up with every change of the public block, and with no other")
    func version() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let path = "/internal/v1/users/\(person.id)/public"
            var version: Int64 = 1
            let changes: [(body: String, isPublic: Bool)] = [
                ("{}", false), (#"{"first_name":"Tom"}"#, true), (#"{"first_name":"Tom"}"#, false),
                (#"{"last_name":"Brady"}"#, true), (#"{"is_active":true,"email_notifications":true}"#, false),
                (#"{"profile_image":"http://a/b"}"#, true), (#"{"profile_image":null}"#, true),
                (#"{"timezone":"Europe/Paris"}"#, true), (#"{"phone":"2345678901"}"#, false),
            ]
            for (body, isPublic) in changes {
                #expect(try await app.patch(body, token: person.token).status == 200)
                if isPublic { version += 1 }
                let answer = try await app.raw(.GET, path, claims: .service("heroes"))
                #expect(answer["version"] == .integer(version), "\(body)")
            }
        }
    }

    @Test("What is no user's id is not found", arguments: ["", "/public"])
    func noUser(suffix: String) async throws {
        try await RunningAccounts.with { app in
            for id in [UUID().uuidString, "1", "x", "%00", "00000000-0000-0000-0000-00000000000g", "a%2Fb"] {
                let answer = try await app.raw(
                    .GET, "/internal/v1/users/\(id)\(suffix)", claims: .service("heroes"))
                #expect(answer.status == 404 && answer.text("code") == "not_found", "\(id)")
            }
        }
    }

    private static func ask(_ app: RunningAccounts, _ hash: String) async throws -> Answer {
        try await app.raw(.GET, "/internal/v1/tokens/\(hash)", claims: .service("gateway"))
    }
}
