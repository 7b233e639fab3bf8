import AsyncHTTPClient
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit

@testable import AccountsService

/// An answer, read whole.
struct Answer: Sendable, CustomStringConvertible {
    var status: Int
    var headers: HTTPHeaders
    var body: ByteBuffer

    var members: [String: JSONValue] { (try? JSONParser.object(body)) ?? [:] }

    subscript(_ name: String) -> JSONValue? { members[name] }

    func text(_ name: String) -> String? {
        if case .string(let text)? = members[name] { text } else { nil }
    }

    /// The bad fields that a 400 names.
    var badFields: Set<String> {
        if case .object(let errors)? = members["errors"] { Set(errors.keys) } else { [] }
    }

    var description: String { "\(status) \(String(buffer: body))" }
}

extension RunningAccounts {
    static let path = "/api/v1/accounts"

    /// With as many connections as a race needs; the shared client has eight.
    static let http = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Asks as the gateway does: the token is looked up here, and the request carries what it stands for.
    func send(
        _ method: HTTPMethod, _ path: String, _ json: String? = nil, token: String? = nil,
        headers: [(String, String)] = []
    ) async throws -> Answer {
        var claims = Claims.anonymous
        if let token = token.flatMap({ Token($0) }) {
            let secret = try SecretKey(Self.secret)
            let found = try await raw(
                .GET, "/internal/v1/tokens/\(secret.hash(of: token).hex)", claims: .service("gateway"))
            if let record = TokenRecord(String(buffer: found.body)) {
                claims = .user(.init(id: record.userID, flags: record.flags, tokenID: record.tokenID))
            }
        }
        return try await raw(method, Self.path + path, json.map(ByteBuffer.init(string:)), claims: claims, headers)
    }

    func raw(
        _ method: HTTPMethod, _ path: String, _ body: ByteBuffer? = nil, claims: Claims = .anonymous,
        _ headers: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
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
        let response = try await Self.http.execute(request, timeout: .seconds(30))
        return Answer(
            status: Int(response.status.code), headers: response.headers,
            body: try await response.body.collect(upTo: 1 << 20))
    }

    func post(_ path: String, _ json: String, token: String? = nil) async throws -> Answer {
        try await send(.POST, path, json, token: token)
    }

    func patch(_ json: String, token: String?) async throws -> Answer {
        try await send(.PATCH, "/profile", json, token: token)
    }

    func profile(_ token: String?) async throws -> Answer {
        try await send(.GET, "/profile", token: token)
    }

    // MARK: People

    static func address() -> String { "\(UUID().uuidString.lowercased())@example.com" }

    /// A user who has just registered.
    struct Person: Sendable {
        var id: String
        var email: String
        var token: String
    }

    func register(email: String = address(), password: String = "password1") async throws -> Person {
        let answer = try await post("/register", Self.registration(email: email, password: password))
        guard answer.status == 201, let id = answer.text("id"), let token = answer.text("token") else {
            throw TestFailure("register answered \(answer)")
        }
        return Person(id: id, email: email, token: token)
    }

    static func registration(email: String = address(), password: String = "password1") -> String {
        #"{"first_name":"Cam","last_name":"Newton","email":"\#(email)","password":"\#(password)"}"#
    }

    /// A user with a verified address.
    func member(email: String = address()) async throws -> Person {
        let person = try await register(email: email)
        let code = try await mailedCode(to: person.email, "verify-email")
        let answer = try await post("/verify-email", #"{"token":"\#(code)"}"#, token: person.token)
        guard answer.status == 200 else { throw TestFailure("verify-email answered \(answer)") }
        return person
    }

    func login(_ person: Person, password: String = "password1") async throws -> Answer {
        try await post("/login", #"{"email":"\#(person.email)","password":"\#(password)"}"#)
    }

    /// A further token of a user.
    func newToken(_ person: Person, password: String = "password1") async throws -> String {
        let answer = try await login(person, password: password)
        guard let token = answer.text("token") else { throw TestFailure("login answered \(answer)") }
        return token
    }

    /// Asks for a new password and waits for the newest of so many codes.
    func resetCode(_ person: Person, count: Int = 1) async throws -> String {
        let answer = try await post("/request-password", #"{"email":"\#(person.email)"}"#)
        guard answer.status == 200 else { throw TestFailure("request-password answered \(answer)") }
        return try await mailedCode(to: person.email, "reset-password", count: count)
    }

    func reset(_ code: String, _ password: String) async throws -> Answer {
        try await post("/reset-password", #"{"token":"\#(code)","new_password":"\#(password)"}"#)
    }

    // MARK: Messages

    /// The contents of all mails to an address, oldest first.
    func mails(to address: String) throws -> [String] {
        try files(mailFolder, "eml").filter { $0.contains("To: ") && $0.contains("<\(address)>") }
    }

    func sms(to number: String) throws -> [String] {
        try files(smsFolder, "json").filter { $0.contains(#""to":"\#(number)""#) }
    }

    private func files(_ folder: String, _ ending: String) throws -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return try names.compactMap { name in
            name.hasSuffix(".\(ending)") ? Int(name.dropLast(ending.count + 1)) : nil
        }
        .sorted().map { try String(contentsOfFile: "\(folder)/\($0).\(ending)", encoding: .utf8) }
    }

    /// The code in the newest of at least so many mails to an address.
    func mailedCode(to address: String, _ kind: String, count: Int = 1) async throws -> String {
        try await eventually("a \(kind) mail") {
            let links = try mails(to: address).compactMap {
                $0.firstMatch(of: /https:\/\/web\.example\/([a-z-]+)\/([a-z0-9]+)\b/)
            }
            .filter { $0.1 == kind }.map { String($0.2) }
            return links.count >= count ? links.last : nil
        }
    }

    func smsCode(to number: String, count: Int = 1) async throws -> String {
        try await eventually("an sms") {
            let codes = try sms(to: number).compactMap { $0.matches(of: /\b([a-z0-9]{6})\b/).last.map { String($0.1) } }
            return codes.count >= count ? codes.last : nil
        }
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension RunningAccounts {
    /// What Redis keeps of a token, or nil.
    func redisCopy(of token: String) async throws -> String? {
        let text = try await redis.cli("GET", try await redisKey(of: token))
            .trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty ? nil : text
    }

    func redisKey(of token: String) async throws -> String {
        guard let token = Token(token) else { throw TestFailure("no token") }
        let info = try await redis.cli("INFO", "server")
        guard let id = info.firstMatch(of: /run_id:([0-9a-f]+)/)?.1 else { throw TestFailure("no run_id") }
        return TokenRecord.redisKey(serverRunID: String(id), hash: try SecretKey(Self.secret).hash(of: token))
    }
}
