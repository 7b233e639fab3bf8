import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Paths and methods, on every route")
struct PathTests {
    /// A path of the table as a request has it.
    private static func filled(_ path: String) -> String {
        path.replacing("{hash}", with: String(repeating: "0", count: 64)).replacing("{id}", with: UUID().uuidString)
    }

    private static func claims(_ access: Route.Access) -> Claims {
        switch access {
        case .public, .user: .user(.init(id: UUID(), flags: [], tokenID: 1))
        case .service(let names): .service(names.sorted()[0])
        }
    }

    @Test("With a slash at its end a path answers as without, and nothing redirects")
    func slash() async throws {
        try await RunningAccounts.with { app in
            for route in app.table.routes {
                let (path, claims) = (Self.filled(route.path), Self.claims(route.access))
                let method = HTTPMethod(rawValue: route.method.rawValue)
                let body = route.accepts == .nothing ? nil : ByteBuffer(string: "{}")
                let answers = [
                    try await app.raw(method, path, body, claims: claims),
                    try await app.raw(method, path + "/", body, claims: claims),
                    try await app.raw(method, path + "/?x=1", body, claims: claims),
                ]
                for answer in answers {
                    #expect(answer.status == answers[0].status && answer.text("code") == answers[0].text("code"))
                    #expect(answer.status < 500 && !(300..<400).contains(answer.status), "\(route) \(answer)")
                    #expect(answer["errors"] == answers[0]["errors"])
                    // The route was found: a 404 is about the user, the token or the webhook that isn't there.
                    #expect(answer.status != 405, "\(route)")
                }
            }
        }
    }

    @Test("A method that a path doesn't have is 405 with those it has, and HEAD goes wherever GET does")
    func methods() async throws {
        try await RunningAccounts.with { app in
            for (path, routes) in Dictionary(grouping: app.table.routes, by: \.path) {
                var allowed = Set(routes.map(\.method.rawValue))
                if allowed.contains("GET") { allowed.insert("HEAD") }
                for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "SEARCH"] {
                    guard !allowed.contains(method) else { continue }
                    let answer = try await app.raw(
                        HTTPMethod(rawValue: method), Self.filled(path), claims: Self.claims(routes[0].access))
                    #expect(answer.status == 405, "\(method) \(path)")
                    if method != "HEAD" { #expect(answer.isProblem(.methodNotAllowed), "\(answer)") }
                    #expect(answer.headers["allow"] == [allowed.sorted().joined(separator: ", ")])
                }
            }
        }
    }

    @Test("HEAD is GET without a body")
    func head() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let get = try await app.profile(person.token)
            let head = try await app.send(.HEAD, "/profile", token: person.token)
            #expect(head.status == 200 && head.body.readableBytes == 0)
            #expect(head.headers["content-length"] == ["\(get.body.readableBytes)"])
            #expect(head.headers["content-type"] == get.headers["content-type"])
            let refused = try await app.send(.HEAD, "/profile")
            #expect(refused.status == 403 && refused.body.readableBytes == 0)
            #expect(try await app.send(.HEAD, "/nothing").status == 404)
        }
    }

    @Test(
        "A path that nobody has is 404",
        arguments: [
            "/", "/api", "/api/v1", "/api/v1/accounts", "/api/v1/accounts/", "/api/v1/accounts/nothing",
            "/api/v1/accounts/register/x", "/api/v1/accounts/Register", "/api/v1/accounts//register",
            "/api/v1/accounts/register//", "//api/v1/accounts/register", "/api/v1/accounts/register%2F",
            "/api/v1/accounts/%72egister", "/api/v1/accounts/register;x=1", "/api/v2/accounts/register",
            "/api/v1/accounts/staff", "/internal/v1", "/internal/v1/users/1/private", "/internal/v1/user", "/metrics",
        ])
    func nowhere(path: String) async throws {
        try await RunningAccounts.with { app in
            for claims in [Claims.anonymous, .service("gateway")] {
                let answer = try await app.raw(.GET, path, claims: claims)
                #expect(answer.isProblem(.notFound), "\(answer)")
                let post = try await app.raw(.POST, path, .init(string: "{}"), claims: claims)
                #expect(post.isProblem(.notFound), "\(post)")
            }
        }
    }
}
