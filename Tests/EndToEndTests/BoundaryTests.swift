import NIOHTTP1
import TestKit
import Testing

@Suite("What the gateway lets through") struct BoundaryTests {
    /// One stack for the whole suite: nothing here breaks it.
    private static let stack = Task { try await RunningStack.start() }

    @Test func `the longest header field that the gateway takes is taken by a service too`() async throws {
        let stack = try await Self.stack.value
        let person = try await stack.person()
        let answer = try await stack.client.ask(
            .GET, "/api/v1/accounts/profile", token: person.token,
            headers: ["cookie": "a=" + String(repeating: "b", count: 31 * 1024)])
        #expect(answer.status == 200)
    }

    @Test(arguments: [
        "/internal/v1/tokens/0", "/internal/v1/events", "/metrics", "/api/v1/../../internal/v1/tokens/0", "//metrics",
        "/api/v1/accounts/../../../metrics", "/api/v1/accounts/%2e%2e/%2e%2e/%2e%2e/internal/v1/tokens/0",
        "/api/v1/internal/v1/tokens/0", "/api/v1/accounts/internal/v1/tokens/0", "/API/V1/accounts/profile",
    ])
    func `internal routes and metrics are not for clients`(path: String) async throws {
        let stack = try await Self.stack.value
        let person = try await stack.person()
        let answer = try await stack.client.ask(.GET, path, token: person.token)
        #expect([400, 404].contains(answer.status), "\(answer.status) \(answer.body)")
        #expect(!answer.body.contains("# TYPE"))
    }

    @Test(arguments: [
        "x-techheroes-identity", "X-TechHeroes-Identity", "x_techheroes_identity", "X-Techheroes_Identity",
    ])
    func `an identity of a client's own counts for nothing`(name: String) async throws {
        let stack = try await Self.stack.value
        let headers: HTTPHeaders = [name: "v1.user.forged", name.uppercased(): "again"]
        let answer = try await stack.client.ask(.GET, "/api/v1/accounts/profile", headers: headers)
        #expect([400, 403].contains(answer.status))
        let open = try await stack.client.ask(.POST, "/api/v1/accounts/login", "{}", headers: headers)
        #expect(open.status == 400)
        #expect(open.headers.first(name: "content-type") == "application/problem+json")
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let method: HTTPMethod
        let path: String
        var signedIn = false
        var body: String?
        var type: String?
        let status: Int
        let code: String

        var testDescription: String { "\(method) \(path) \(body?.prefix(40) ?? "") → \(status) \(code)" }
    }

    private static let fields = #"{"first_name": 1, "last_name": null, "email": "no", "password": "short"}"#

    static let failures: [Failure] = [
        .init(method: .POST, path: "register", body: "{", status: 400, code: "malformed_json"),
        .init(method: .POST, path: "register", body: "[]", status: 400, code: "malformed_json"),
        .init(method: .POST, path: "register", body: "{} x", status: 400, code: "malformed_json"),
        .init(method: .POST, path: "register", body: fields, status: 400, code: "invalid"),
        .init(
            method: .POST, path: "register", body: "{}", type: "text/plain", status: 415, code: "unsupported_media_type"
        ),
        .init(
            method: .POST, path: "register", body: #"{"a": ""# + String(repeating: "x", count: 70_000) + #""}"#,
            status: 413, code: "payload_too_large"),
        .init(method: .GET, path: "register", status: 405, code: "method_not_allowed"),
        .init(method: .POST, path: "login", body: #"{"email": 7}"#, status: 400, code: "invalid"),
        .init(method: .DELETE, path: "logout", status: 403, code: "not_authenticated"),
        .init(method: .GET, path: "profile", status: 403, code: "not_authenticated"),
        .init(method: .PATCH, path: "profile", body: "{}", status: 403, code: "not_authenticated"),
        .init(
            method: .PATCH, path: "profile", signedIn: true, body: #"{"phone": "12", "timezone": "Mars"}"#, status: 400,
            code: "invalid"),
        .init(
            method: .POST, path: "verify-email", body: #"{"token": "abcdefghjk"}"#, status: 403,
            code: "not_authenticated"),
        .init(method: .POST, path: "verify-email", signedIn: true, body: "{}", status: 400, code: "invalid"),
        .init(
            method: .POST, path: "verify-email", signedIn: true, body: #"{"token": "abcdefghjk"}"#, status: 404,
            code: "not_found"),
        .init(method: .POST, path: "verify-phone", body: "{}", status: 403, code: "not_authenticated"),
        .init(
            method: .POST, path: "verify-phone", signedIn: true, body: #"{"token": "abcdef"}"#, status: 404,
            code: "not_found"),
        .init(method: .POST, path: "change-password", body: "{}", status: 403, code: "not_authenticated"),
        .init(
            method: .POST, path: "change-password", signedIn: true,
            body: #"{"old_password": "not-the-one-1", "new_password": "another-one-2"}"#, status: 400, code: "invalid"),
        .init(method: .POST, path: "request-password", body: #"{"email": 1}"#, status: 400, code: "invalid"),
        .init(
            method: .POST, path: "request-password", body: #"{"email": "nobody@example.com"}"#, status: 404,
            code: "not_found"),
        .init(method: .POST, path: "reset-password", body: "{}", status: 400, code: "invalid"),
        .init(
            method: .POST, path: "reset-password", body: #"{"token": "abcdefgh", "new_password": "another-one-2"}"#,
            status: 404, code: "not_found"),
        .init(method: .POST, path: "payment-method", body: "{}", status: 403, code: "not_authenticated"),
        .init(method: .POST, path: "payment-method", signedIn: true, body: "{}", status: 400, code: "invalid"),
        .init(
            method: .POST, path: "payment-method", signedIn: true,
            body: #"{"payment_method": "pm_card_chargeDeclined"}"#, status: 402, code: "payment_declined"),
        .init(method: .DELETE, path: "payment-method", status: 403, code: "not_authenticated"),
        .init(method: .GET, path: "no-such-route", signedIn: true, status: 404, code: "not_found"),
    ]

    @Test(arguments: failures)
    func `every failure is a problem with its code`(failure: Failure) async throws {
        let stack = try await Self.stack.value
        let token = failure.signedIn ? try await stack.person().token : nil
        let headers: HTTPHeaders = failure.type.map { ["content-type": $0] } ?? [:]
        let answer = try await stack.client.ask(
            failure.method, "/api/v1/accounts/\(failure.path)", token: token, failure.body, headers: headers)
        #expect(answer.status == failure.status, "\(answer.body.prefix(400))")
        #expect(answer.code == failure.code)
        #expect(answer.headers.first(name: "content-type") == "application/problem+json")
        #expect(answer.json["status"] as? Int == failure.status)
        #expect(answer.text("detail")?.isEmpty == false)
        #expect(answer.text("request_id")?.isEmpty == false)
        #expect((answer.json["errors"] != nil) == (failure.code == "invalid"))
        if failure.status == 405 { #expect(answer.headers.first(name: "allow")?.contains("POST") == true) }
    }

    @Test func `a login that fails is the same for a wrong password and an unknown address`() async throws {
        let stack = try await Self.stack.value
        let person = try await stack.person()
        let bodies = [person.email, Person.address()].map { #"{"email": "\#($0)", "password": "not-the-one-1"}"# }
        for body in bodies {
            let answer = try await stack.client.ask(.POST, "/api/v1/accounts/login", body)
            #expect(answer.status == 403)
            #expect(answer.code == "not_authenticated" || answer.code == "permission_denied")
        }
    }

    @Test(arguments: ["", "Token ", "Bearer ", "bearer ", "TOKEN "])
    func `the token is taken bare and after either scheme`(scheme: String) async throws {
        let stack = try await Self.stack.value
        let person = try await stack.person()
        let headers: HTTPHeaders = ["authorization": scheme + person.token]
        for path in ["/api/v1/accounts/profile", "/api/v1/accounts/profile/"] {
            #expect(try await stack.client.ask(.GET, path, headers: headers).status == 200)
            let head = try await stack.client.ask(.HEAD, path, headers: headers)
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
        }
    }
}
