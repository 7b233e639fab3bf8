import Foundation
import Hummingbird
import Identity
import Logging
import NIOCore
import Postgres
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

@testable import HeroesService

/// What accounts answers to heroes, and what it publishes, without accounts.
final class StubAccounts: Sendable {
    let port: Int
    private let redis: TestRedis

    struct State {
        var users: [UUID: PublicUser] = [:]
        var events: [String] = []
        var ids: [UUID] = []
        /// Users that heroes can have heard of.
        var told: Set<UUID> = []
        var isAway = false
        /// Calls by path.
        var calls: [String: Int] = [:]
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared: Shared

    private init(port: Int, redis: TestRedis, shared: Shared) {
        self.port = port
        self.redis = redis
        self.shared = shared
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Runs `body` beside a stub that ends with it.
    static func with(redis: TestRedis, _ body: @Sendable (StubAccounts) async throws -> Void) async throws {
        let shared = Shared()
        let readers = Route.Access.service(["heroes"])
        let table = RouteTable([
            Route(.get, "/internal/v1/users", access: readers) { try await Self.snapshot($0, shared) },
            Route(.get, "/internal/v1/users/{id}", access: readers) { try await Self.user($0, shared, isFull: true) },
            Route(.get, "/internal/v1/users/{id}/public", access: readers) {
                try await Self.user($0, shared, isFull: false)
            },
            Route(.get, "/internal/v1/events", access: readers) { try await Self.events($0, shared) },
        ])
        let (ports, told) = AsyncStream<Int>.makeStream()
        var configuration = ServiceRunner.Configuration(name: "accounts", port: 0, metricsPort: 0)
        configuration.host = "127.0.0.1"
        configuration.drainDelay = .zero
        let runner = ServiceRunner(
            configuration, table: table, seal: IdentitySeal(try SecretKey(RunningHeroes.secret)),
            registry: PrometheusRegistry(), log: LogWriter { _ in }, logger: Logger(label: "stub"),
            onListening: { told.yield($0) })
        try await run([runner.group(endingOn: [])]) {
            for await port in ports {
                try await body(StubAccounts(port: port, redis: redis, shared: shared))
                return
            }
        }
    }

    // MARK: What tests do

    /// A new user whom heroes has not heard of.
    func register(_ firstName: String = "Tom", _ lastName: String = "Brady") -> PublicUser {
        let user = PublicUser(
            id: UUID(), firstName: firstName, lastName: lastName, profileImage: nil, timezone: "America/Chicago",
            created: Timestamp(microseconds: 1_479_311_816_179_930), version: 1)
        shared.state.withLock { $0.users[user.id] = user }
        return user
    }

    /// Changes a user, without telling anybody.
    @discardableResult
    func change(_ id: UUID, _ change: (inout PublicUser) -> Void) throws -> PublicUser {
        try shared.state.withLock { state in
            guard var user = state.users[id] else { throw TestFailure("no user") }
            change(&user)
            user.version += 1
            state.users[id] = user
            return user
        }
    }

    /// Writes an event into the ledger and rings at Redis, as the relay does.
    func publish(_ type: String, _ user: PublicUser, rings: Bool = true) async throws {
        let event = shared.state.withLock { state in
            let id = UUID()
            let event = Self.event(type, user, id, position: state.events.count + 1)
            state.events.append(event)
            state.ids.append(id)
            state.told.insert(user.id)
            return event
        }
        if rings { try await redis.cli("PUBLISH", "techheroes.accounts", event) }
    }

    /// From now on the snapshot has these users.
    func tell(_ ids: UUID...) { shared.state.withLock { $0.told.formUnion(ids) } }

    /// From now on it answers 503, or no longer.
    func setAway(_ isAway: Bool) { shared.state.withLock { $0.isAway = isAway } }

    /// How often a path was asked for.
    func calls(_ path: String) -> Int { shared.state.withLock { $0.calls[path] ?? 0 } }

    // MARK: What it answers

    private static func begin(_ request: ServiceRequest, _ shared: Shared) throws -> State {
        try shared.state.withLock { state in
            state.calls[String((request.head.path ?? "").prefix { $0 != "?" }), default: 0] += 1
            if state.isAway { throw Problem.unavailable() }
            return state
        }
    }

    private static func user(_ request: ServiceRequest, _ shared: Shared, isFull: Bool) async throws -> Response {
        let state = try begin(request, shared)
        guard let user = state.users[try request.uuid("id")] else { throw Problem(.notFound) }
        return .json { json in
            json.object { json in
                user.write(into: &json)
                if isFull {
                    json.field("email", "tom@example.com")
                    json.field("email_verified", true)
                    json.field("phone", "1234567890")
                } else {
                    json.field("version", user.version)
                }
            }
        }
    }

    private static func snapshot(_ request: ServiceRequest, _ shared: Shared) async throws -> Response {
        let state = try begin(request, shared)
        let query = try request.query
        let after = query["after"] ?? ""
        let limit = Int(try query.integer("limit", 1...1000) ?? 100)
        let rest = state.users.values.filter { state.told.contains($0.id) }.map { ($0.id.uuidString.lowercased(), $0) }
            .sorted { $0.0 < $1.0 }
            .filter { $0.0 > after }
        let page = rest.prefix(limit)
        let next = rest.count > limit ? page.last?.0 : nil
        let response = Response.json { json in
            json.object { json in
                json.field("position", state.events.count)
                json.array("items") { json in
                    for (_, user) in page {
                        json.object { json in
                            user.write(into: &json)
                            json.field("version", user.version)
                        }
                    }
                }
                json.field("next", next)
            }
        }
        return response
    }

    private static func events(_ request: ServiceRequest, _ shared: Shared) async throws -> Response {
        let state = try begin(request, shared)
        let query = try request.query
        let after = Int(try query.integer("after", 0...Int64.max) ?? 0)
        let limit = Int(try query.integer("limit", 1...10_000) ?? 100)
        var json = JSONWriter()
        json.object { json in
            json.field("head", state.events.count)
            json.field("oldest", 1)
            json.field("pruned", false)
            json.field("last", after > 0 ? state.ids[safe: after - 1] : nil)
            json.field(
                "events", rawJSON: "[\(state.events.dropFirst(after).prefix(limit).joined(separator: ","))]".utf8)
        }
        return .json(.ok, json.buffer)
    }

    private static func event(_ type: String, _ user: PublicUser, _ id: UUID, position: Int) -> String {
        var json = JSONWriter()
        json.object { json in
            json.field("specversion", "1.0")
            json.field("id", id)
            json.field("source", "accounts")
            json.field("type", type)
            json.field("subject", user.id.uuidString.lowercased())
            json.field("time", Timestamp.now())
            json.field("datacontenttype", "application/json")
            json.object("data") { json in
                user.write(into: &json)
                json.field("version", user.version)
            }
            json.field("position", position)
            json.array("recipients") { $0.element(user.id) }
        }
        return String(buffer: json.buffer)
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
