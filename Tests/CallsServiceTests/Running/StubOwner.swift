import Foundation
import Hummingbird
import Identity
import Logging
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

/// What accounts or heroes answers to calls, and what it publishes, without accounts or heroes.
final class StubOwner: Sendable {
    let source: String
    let port: Int
    private let redis: TestRedis
    private let shared: Shared

    struct State {
        /// JSON objects by their key, in the order of the snapshot.
        var items: [(key: String, json: String)] = []
        var events: [String] = []
        var ids: [UUID] = []
        var isAway = false
        /// What the answer about a single item waits for.
        var hold: (@Sendable () async throws -> Void)?
        /// Calls by path.
        var calls: [String: Int] = [:]
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private init(source: String, port: Int, redis: TestRedis, shared: Shared) {
        self.source = source
        self.port = port
        self.redis = redis
        self.shared = shared
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Runs `body` beside a stub that ends with it.
    ///
    /// - Parameters:
    ///   - items: the path of the snapshot.
    ///   - one: the path of a single item, with `{id}` in it.
    static func with(
        source: String, items: String, one: String, redis: TestRedis,
        _ body: @Sendable (StubOwner) async throws -> Void
    ) async throws {
        let shared = Shared()
        let readers = Route.Access.service(["calls"])
        let table = RouteTable([
            Route(.get, items, access: readers) { try snapshot($0, try begin($0, shared)) },
            Route(.get, one, access: readers) { request in
                let state = try begin(request, shared)
                try await state.hold?()
                let key = try request.segment("id")
                guard let item = state.items.first(where: { $0.key == key }) else { throw Problem(.notFound) }
                return .json(.ok, ByteBuffer(string: item.json))
            },
            Route(.get, "/internal/v1/events", access: readers) { try events($0, try begin($0, shared)) },
        ])
        let (ports, told) = AsyncStream<Int>.makeStream()
        var configuration = ServiceRunner.Configuration(name: source, port: 0, metricsPort: 0)
        configuration.host = "127.0.0.1"
        configuration.drainDelay = .zero
        let runner = ServiceRunner(
            configuration, table: table, seal: IdentitySeal(try SecretKey(RunningCalls.secret)),
            registry: PrometheusRegistry(), log: LogWriter { _ in }, logger: Logger(label: "stub"),
            onListening: { told.yield($0) })
        try await run([runner.group(endingOn: [])]) {
            for await port in ports {
                try await body(StubOwner(source: source, port: port, redis: redis, shared: shared))
                return
            }
        }
    }

    // MARK: What tests do

    /// Puts an item where it is answered, without telling anybody.
    func put(_ key: String, _ json: String) {
        shared.state.withLock { state in
            state.items.removeAll { $0.key == key }
            state.items.append((key, json))
        }
    }

    /// Writes an event into the ledger and rings at Redis, as the relay does.
    func publish(_ type: String, subject: String, _ data: String) async throws {
        let event = shared.state.withLock { state in
            let id = UUID()
            let event = """
                {"specversion":"1.0","id":"\(id.uuidString.lowercased())","source":"\(source)","type":"\(type)",\
                "subject":"\(subject)","time":"2026-01-01T00:00:00.000000Z","datacontenttype":"application/json",\
                "position":\(state.events.count + 1),"recipients":[],"data":\(data)}
                """
            state.events.append(event)
            state.ids.append(id)
            return event
        }
        try await redis.cli("PUBLISH", "techheroes.\(source)", event)
    }

    /// From now on it answers 503, or no longer.
    func setAway(_ isAway: Bool) { shared.state.withLock { $0.isAway = isAway } }

    /// From now on answers about a single item wait for something.
    func hold(_ hold: @escaping @Sendable () async throws -> Void) { shared.state.withLock { $0.hold = hold } }

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

    private static func snapshot(_ request: ServiceRequest, _ state: State) throws -> Response {
        let query = try request.query
        let start = query["after"].flatMap { key in state.items.firstIndex { $0.key == key }.map { $0 + 1 } } ?? 0
        // Pages of two, so that a rebuild has several.
        let page = state.items.dropFirst(start).prefix(2)
        let next = start + page.count < state.items.count ? page.last?.key : nil
        return .json { json in
            json.object { json in
                json.field("position", state.events.count)
                json.field("items", rawJSON: "[\(page.map(\.json).joined(separator: ","))]".utf8)
                json.field("next", next)
            }
        }
    }

    private static func events(_ request: ServiceRequest, _ state: State) throws -> Response {
        let query = try request.query
        let after = Int(try query.integer("after", 0...Int64.max) ?? 0)
        let limit = Int(try query.integer("limit", 1...10_000) ?? 100)
        return .json { json in
            json.object { json in
                json.field("head", state.events.count)
                json.field("oldest", 1)
                json.field("pruned", false)
                json.field("last", after > 0 && after <= state.ids.count ? state.ids[after - 1] : nil)
                json.field(
                    "events", rawJSON: "[\(state.events.dropFirst(after).prefix(limit).joined(separator: ","))]".utf8)
            }
        }
    }
}
