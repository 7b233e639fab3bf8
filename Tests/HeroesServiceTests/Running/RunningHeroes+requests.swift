import AsyncHTTPClient
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit

@testable import HeroesService

/// An answer, read whole.
struct Answer: Sendable, CustomStringConvertible {
    var status: Int
    var headers: HTTPHeaders
    var body: ByteBuffer

    var members: [String: JSONValue] { (try? JSONParser.object(body)) ?? [:] }

    subscript(_ name: String) -> JSONValue? { members[name] }

    func text(_ name: String) -> String? { members[name]?.text }

    func integer(_ name: String) -> Int64? { members[name]?.integer }

    /// The bad fields that a 400 names.
    var badFields: Set<String> { Set(members["errors"]?.members.keys.map { $0 } ?? []) }

    /// The elements of `results`.
    var results: [[String: JSONValue]] {
        if case .array(let elements)? = members["results"] { elements.map(\.members) } else { [] }
    }

    /// The ids of `results`.
    var ids: [Int64] { results.compactMap { $0["id"]?.integer } }

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

extension Claims.User {
    static func of(_ id: UUID, _ flags: UserFlags = .emailVerified) -> Claims.User {
        Claims.User(id: id, flags: flags, tokenID: 1)
    }
}

extension RunningHeroes {
    static let path = "/api/v1/heroes"

    /// Asks as the gateway does, in the name of a user or of nobody.
    func send(
        _ method: HTTPMethod, _ path: String, _ json: String? = nil, as user: Claims.User? = nil, replica: Int = 0,
        headers: [(String, String)] = []
    ) async throws -> Answer {
        try await raw(
            method, Self.path + path, json.map(ByteBuffer.init(string:)), claims: user.map(Claims.user) ?? .anonymous,
            replica: replica, headers)
    }

    func raw(
        _ method: HTTPMethod, _ path: String, _ body: ByteBuffer? = nil, claims: Claims = .anonymous,
        replica: Int = 0, _ headers: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(ports[replica])\(path)")
        request.method = method
        let seal = IdentitySeal(try SecretKey(Self.secret))
        request.headers.add(
            name: Claims.headerName,
            value: seal.sign(claims, method: method.rawValue, path: path, now: WallClock.seconds))
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body)
        }
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return Answer(
            status: Int(response.status.code), headers: response.headers,
            body: try await response.body.collect(upTo: 1 << 20))
    }

    /// A page of the list.
    func list(_ query: String = "", replica: Int = 0) async throws -> Answer {
        try await send(.GET, "/" + (query.isEmpty ? "" : "?\(query)"), replica: replica)
    }

    /// The page that a link of another leads to, or nil when there is no link.
    func follow(_ link: String, of answer: Answer, replica: Int = 0) async throws -> Answer? {
        guard let url = answer.text(link) else { return nil }
        guard url.hasPrefix("\(Self.publicURL)\(Self.path)/") else { throw TestFailure("\(link) is \(url)") }
        return try await raw(.GET, String(url.dropFirst(Self.publicURL.count)), replica: replica)
    }

    // MARK: People

    static let details = [
        "discipline": #""BE""#, "title": #""Set up a REST API""#, "description": #""With Django""#,
        "position": #""Backend Engineer""#, "company": #""SpaceX""#, "short_bio": #""Of myself""#,
        "years_of_exp": "3", "rate_in_cents": "100", "linkedin_url": #""http://www.django-rest-framework.org""#,
    ]

    /// The body of an application, with other values where a test wants them; nil leaves a member out.
    static func application(_ changes: [String: String?] = [:]) -> String {
        var members = details
        for (name, value) in changes { members[name] = value }
        return "{" + members.map { "\"\($0)\":\($1)" }.sorted().joined(separator: ",") + "}"
    }

    static let staff = Claims.User(id: UUID(), flags: [.emailVerified, .staff], tokenID: 2)

    /// Somebody who has applied.
    struct Person: Sendable {
        var user: Claims.User
        var heroID: Int64
        var slug: String
    }

    /// A new user applies.
    func hero(
        _ firstName: String = "Tom", _ lastName: String = "Brady", _ changes: [String: String?] = [:]
    ) async throws -> Person {
        let user = Claims.User.of(accounts.register(firstName, lastName).id)
        let answer = try await send(.POST, "/apply", Self.application(changes), as: user)
        guard answer.status == 201, let id = answer.integer("id"), let slug = answer.text("slug") else {
            throw TestFailure("apply answered \(answer)")
        }
        return Person(user: user, heroID: id, slug: slug)
    }

    /// A new user applies and is accepted.
    func acceptedHero(
        _ firstName: String = "Tom", _ lastName: String = "Brady", _ changes: [String: String?] = [:]
    ) async throws -> Person {
        let hero = try await hero(firstName, lastName, changes)
        let answer = try await decide("accept", hero)
        guard answer.status == 200 else { throw TestFailure("accept answered \(answer)") }
        return hero
    }

    func decide(_ decision: String, _ hero: Person, replica: Int = 0) async throws -> Answer {
        try await send(
            .POST, "/\(decision)", #"{"hero_id":\#(hero.heroID)}"#, as: Self.staff, replica: replica)
    }
}
