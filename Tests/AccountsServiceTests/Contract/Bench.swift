import AsyncHTTPClient
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

/// One route under test, with a user where it needs one.
struct Bench: Sendable {
    let app: RunningAccounts
    let route: JSONRoute
    let person: RunningAccounts.Person
    private let claims: Claims

    /// Runs `body`; unless it may change something, what the database holds is the same before and after.
    static func with(
        _ route: JSONRoute, isChanging: Bool = false, _ body: @Sendable (Bench) async throws -> Void
    ) async throws {
        var options = RunningAccounts.Options()
        options.settings["RATE_LIMIT_ENABLED"] = "false"
        try await RunningAccounts.with(options) { app in
            let person = try await app.register()
            let claims = try await app.claims(person.token)
            let bench = Bench(app: app, route: route, person: person, claims: route.needsUser ? claims : .anonymous)
            try await app.settle()
            let before = try await app.contents()
            try await body(bench)
            if !isChanging {
                try await app.settle()
                #expect(try await app.contents() == before)
            }
            #expect(!app.log.text.contains(#""level":"error""#), "\(app.log.text)")
        }
    }

    func send(_ text: some StringProtocol, type: String? = "application/json") async throws -> Answer {
        try await send(bytes: Array(text.utf8), type: type)
    }

    func send(
        bytes: [UInt8], type: String? = "application/json", isChunked: Bool = false
    ) async throws -> Answer {
        let path = RunningAccounts.path + route.path
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(app.port)\(path)")
        request.method = route.method
        request.headers.add(
            name: Claims.headerName,
            value: IdentitySeal(try SecretKey(RunningAccounts.secret)).sign(
                claims, method: route.method.rawValue, path: path, now: WallClock.seconds))
        if let type { request.headers.add(name: "content-type", value: type) }
        let body = ByteBuffer(bytes: bytes)
        request.body = isChunked ? .stream([body].async, length: .unknown) : .bytes(body)
        let response = try await RunningAccounts.http.execute(request, timeout: .seconds(30))
        return Answer(
            status: Int(response.status.code), headers: response.headers,
            body: try await response.body.collect(upTo: 1 << 20))
    }

    /// Checks the form that every problem has (decision 6).
    func expectProblem(
        _ answer: Answer, _ code: ProblemCode, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let what = Comment(rawValue: "\(what.prefix(80)): \(answer)")
        #expect(answer.status == code.status, what, sourceLocation: sourceLocation)
        #expect(answer.isProblem(code), what, sourceLocation: sourceLocation)
    }
}

extension Answer {
    /// Whether it is a problem of this code, in every member.
    func isProblem(_ code: ProblemCode) -> Bool {
        var names: Set<String> = ["type", "title", "status", "detail", "code", "request_id"]
        if code == .invalid { names.insert("errors") }
        guard Set(members.keys) == names, headers["content-type"] == ["application/problem+json"],
            text("type") == "about:blank", text("title") == code.title, self["status"] == .integer(Int64(status)),
            text("code") == code.rawValue, let detail = text("detail"), !detail.isEmpty,
            let id = text("request_id"), [id] == headers["x-request-id"], status == code.status
        else { return false }
        guard code == .invalid else { return true }
        guard case .object(let errors)? = self["errors"], !errors.isEmpty else { return false }
        return errors.values.allSatisfy { messages in
            guard case .array(let messages) = messages, !messages.isEmpty else { return false }
            return messages.allSatisfy { if case .string(let text) = $0 { !text.isEmpty } else { false } }
        }
    }
}

extension RunningAccounts {
    /// What a token stands for, as the gateway would sign it.
    func claims(_ token: String) async throws -> Claims {
        guard let token = Token(token) else { throw TestFailure("no token") }
        let hash = try SecretKey(Self.secret).hash(of: token).hex
        let found = try await raw(.GET, "/internal/v1/tokens/\(hash)", claims: .service("gateway"))
        guard let record = TokenRecord(String(buffer: found.body)) else { throw TestFailure("no record") }
        return .user(.init(id: record.userID, flags: record.flags, tokenID: record.tokenID))
    }

    /// Waits until nothing is left to be done in the background.
    func settle() async throws {
        try await TestKitPolling.until("nothing waits") {
            try await sql(
                """
                SELECT (SELECT count(*) FROM accounts.deliveries WHERE state = 'waiting')
                    + (SELECT count(*) FROM accounts.token_sync)
                    + (SELECT count(*) FROM accounts.outbox WHERE position IS NULL)
                """) == "0"
        }
    }

    /// All rows of all tables, told by their number and a hash.
    func contents() async throws -> String {
        let tables = try await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'accounts' ORDER BY tablename")
            .split(separator: "\n")
        let selects = tables.map {
            "SELECT '\($0)', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM accounts.\($0) t"
        }
        return try await sql(selects.joined(separator: " UNION ALL ") + " ORDER BY 1")
    }
}

extension Array where Element: Sendable {
    /// Its elements, one after another.
    fileprivate var async: AsyncStream<Element> {
        AsyncStream { continuation in
            for element in self { continuation.yield(element) }
            continuation.finish()
        }
    }
}
