import AsyncHTTPClient
import CallsDomain
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import CallsService

/// An answer, read whole.
struct Answer: Sendable, CustomStringConvertible {
    var status: Int
    var headers: HTTPHeaders
    var body: ByteBuffer

    var members: [String: JSONValue] { (try? JSONParser.object(body)) ?? [:] }

    subscript(_ name: String) -> JSONValue? { members[name] }

    func text(_ name: String) -> String? { members[name]?.text }

    func integer(_ name: String) -> Int64? { members[name]?.integer }

    var id: Int64 { integer("id") ?? -1 }

    /// The bad fields that a 400 names.
    var badFields: Set<String> { Set(members["errors"]?.members.keys.map { $0 } ?? []) }

    /// The elements of `results` or of `times`.
    func list(_ name: String) -> [[String: JSONValue]] {
        if case .array(let elements)? = members[name] { elements.map(\.members) } else { [] }
    }

    /// The ids of `results`.
    var ids: [Int64] { list("results").compactMap { $0["id"]?.integer } }

    /// Whether it is a problem of a kind, in the form that all have.
    func has(_ code: ProblemCode) -> Bool {
        status == code.status && text("code") == code.rawValue
            && headers.first(name: "content-type") == "application/problem+json" && text("detail")?.isEmpty == false
    }

    var description: String { "\(status) \(String(buffer: body))" }
}

extension JSONValue {
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
    var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension UserFlags {
    /// What a user needs to ask for a call.
    static let verified: UserFlags = [.emailVerified, .phoneVerified, .paymentVerified]
}

extension UUID {
    var text: String { uuidString.lowercased() }
}

extension RunningCalls {
    static let path = "/api/v1/call-requests"

    /// Asks as the gateway does, in the name of a user or of nobody.
    func send(
        _ method: HTTPMethod, _ path: String, _ json: String? = nil, as user: Claims.User? = nil, replica: Int = 0,
        key: String? = nil, headers: [(String, String)] = []
    ) async throws -> Answer {
        try await raw(
            method, Self.path + path, json.map(ByteBuffer.init(string:)), claims: user.map(Claims.user) ?? .anonymous,
            replica: replica, headers + (key.map { [("idempotency-key", $0)] } ?? []))
    }

    func raw(
        _ method: HTTPMethod, _ path: String, _ body: ByteBuffer? = nil, claims: Claims = .anonymous,
        replica: Int = 0, _ headers: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(ports[replica])\(path)")
        request.method = method
        request.headers.add(name: Claims.headerName, value: try Self.sign(claims, method, path))
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body)
        }
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        return Answer(
            status: Int(response.status.code), headers: response.headers,
            body: try await response.body.collect(upTo: 1 << 20))
    }

    static func sign(_ claims: Claims, _ method: HTTPMethod, _ path: String) throws -> String {
        IdentitySeal(try SecretKey(secret)).sign(
            claims, method: method.rawValue, path: path, now: WallClock.seconds)
    }

    // MARK: People

    static let staff = Claims.User(id: UUID(), flags: [.emailVerified, .staff], tokenID: 2)

    /// A user whom accounts knows and calls doesn't.
    func person(_ firstName: String = "Cam", _ flags: UserFlags = .verified) -> Claims.User {
        let id = UUID()
        accounts.put(id.text, Self.block(id, firstName))
        return Claims.User(id: id, flags: flags, tokenID: 1)
    }

    /// What accounts tells of a user.
    static func block(_ id: UUID, _ firstName: String, version: Int = 1) -> String {
        """
        {"id":"\(id.text)","first_name":"\(firstName)","last_name":"Newton","profile_image":null,\
        "timezone":"America/Chicago","created":"2016-11-16T15:56:56.179930Z","version":\(version)}
        """
    }

    /// A hero and the user who owns it.
    struct HeroOwner: Sendable {
        var user: Claims.User
        var id: Int64
    }

    /// A hero whom heroes knows and calls doesn't.
    func hero(_ firstName: String = "Tom", accepted: Bool = true, rate: Int = 100) -> HeroOwner {
        let user = person(firstName)
        let id = Int64.random(in: 1...1_000_000_000)
        heroes.put("\(id)", Self.heroBlock(id, user.id, accepted: accepted, rate: rate))
        return HeroOwner(user: user, id: id)
    }

    /// What heroes tells of a hero.
    static func heroBlock(
        _ id: Int64, _ owner: UUID, accepted: Bool = true, rate: Int = 100, version: Int = 1
    ) -> String {
        """
        {"id":\(id),"user":"\(owner.text)","accepted":\(accepted),"rate_in_cents":\(rate),"version":\(version)}
        """
    }

    // MARK: Moves

    static func asking(_ hero: Int64, length: Int = 30, message: String = "Help me") -> String {
        #"{"hero_id":\#(hero),"message":"\#(message)","estimated_length":\#(length)}"#
    }

    /// An open request.
    func ask(_ hero: HeroOwner, as user: Claims.User, length: Int = 30) async throws -> Int64 {
        try expect(200, await send(.POST, "/", Self.asking(hero.id, length: length), as: user)).id
    }

    func expect(_ status: Int, _ answer: Answer) throws -> Answer {
        guard answer.status == status else { throw TestFailure("answered \(answer)") }
        return answer
    }

    /// An instant so many quarters of an hour after the clock's.
    func quarter(_ count: Int64) -> String {
        Timestamp(microseconds: clock.now.advanced(minutes: 15 * count).microseconds).rfc3339
    }

    /// Three times, an hour apart, the first so many quarters of an hour ahead.
    func times(_ first: Int64) -> String {
        """
        {"time_one":"\(quarter(first))","time_two":"\(quarter(first + 4))","time_three":"\(quarter(first + 8))"}
        """
    }

    func agreeing(_ count: Int64) -> String { #"{"agreed_time":"\#(quarter(count))"}"# }

    /// An accepted request with times from 4 quarters of an hour ahead.
    func accepted(_ hero: HeroOwner, as user: Claims.User, length: Int = 30, first: Int64 = 4) async throws -> Int64 {
        let id = try await ask(hero, as: user, length: length)
        _ = try expect(200, await send(.PATCH, "/\(id)/accept/", times(first), as: hero.user))
        return id
    }

    /// A request with an agreed time so many quarters of an hour ahead.
    func agreed(_ hero: HeroOwner, as user: Claims.User, at count: Int64 = 4) async throws -> Int64 {
        let id = try await accepted(hero, as: user, first: count)
        _ = try expect(200, await send(.PATCH, "/\(id)/agreed-time/", agreeing(count), as: user))
        return id
    }

    func show(_ id: Int64, as user: Claims.User?) async throws -> Answer {
        try await send(.GET, "/\(id)", as: user)
    }

    func list(_ query: String = "", as user: Claims.User, replica: Int = 0) async throws -> Answer {
        try await send(.GET, "/" + (query.isEmpty ? "" : "?\(query)"), as: user, replica: replica)
    }

    /// The page that a link of another leads to, or nil when there is no link.
    func follow(_ link: String, of answer: Answer, as user: Claims.User) async throws -> Answer? {
        guard let url = answer.text(link) else { return nil }
        guard url.hasPrefix("\(Self.publicURL)\(Self.path)/") else { throw TestFailure("\(link) is \(url)") }
        return try await raw(.GET, String(url.dropFirst(Self.publicURL.count)), claims: .user(user))
    }

    /// How many statements wait for a row that another transaction has.
    func waiting() async throws -> String {
        try await sql(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event IN ('transactionid', 'tuple')
            """)
    }

    /// Types of the events of a request, in order.
    func events(of id: Int64) async throws -> [String] {
        try await sql("SELECT type FROM calls.outbox WHERE subject = '\(id)' ORDER BY id")
            .split(separator: "\n").map(String.init)
    }
}

/// Runs the same for each element at once.
func all<Element: Sendable, Value: Sendable>(
    _ elements: [Element], _ body: @escaping @Sendable (Element) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        for (index, element) in elements.enumerated() { group.addTask { (index, try await body(element)) } }
        return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

extension Sequence<Answer> {
    /// How often each status came.
    var statuses: [Int: Int] { reduce(into: [:]) { $0[$1.status, default: 0] += 1 } }
}
