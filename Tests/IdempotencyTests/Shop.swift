import HTTPTypes
import Hummingbird
import Identity
import Logging
import NIOCore
import Postgres
import ServiceKit
import Synchronization
import TestKit

@testable import Idempotency

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A service with one effect, a row in `shop.sales`, asked without a network in between.
struct Shop: Sendable {
    let postgres: PostgresClient
    let idempotency: Idempotency
    let clock: TestClock
    private let responder: ServiceResponder
    private let seal: IdentitySeal
    private let server: TestPostgres
    private let database: String

    /// What a test wants to happen on the way; each may throw.
    struct Steps: Sendable {
        /// Before the transaction, where bodies are read.
        var early: @Sendable (Shop) async throws -> Void = { _ in }
        /// In the transaction, before the row is written.
        var inside: @Sendable (Shop) async throws -> Void = { _ in }
        /// After the commit.
        var late: @Sendable (Shop) async throws -> Void = { _ in }
        var beforeReplay: @Sendable () async throws -> Void = {}
    }

    static func with(_ steps: Steps = Steps(), _ body: @Sendable (Shop) async throws -> Void) async throws {
        let server = try await TestPostgres.shared()
        let database = try await server.database()
        try await server.psql(
            """
            CREATE SCHEMA shop;
            CREATE TABLE shop.sales (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, goods text NOT NULL);
            \(IdempotencyTables.sql(schema: "shop"))
            """, database: database)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let secret = try SecretKey(String(repeating: "k", count: 32))
        var configuration = PostgresConfiguration(server.conninfo(database: database), applicationName: "test")
        // How long one waits for another is not what is tested, and a busy machine takes its time.
        configuration.acquireTimeout = .seconds(60)
        configuration.statementTimeout = .seconds(60)
        try await PostgresClient.with(configuration, logger: logger) { postgres in
            try await body(Shop(postgres, secret, steps, server, database, logger))
        }
    }

    private init(
        _ postgres: PostgresClient, _ secret: SecretKey, _ steps: Steps, _ server: TestPostgres, _ database: String,
        _ logger: Logger
    ) {
        let clock = TestClock()
        let idempotency = Idempotency(schema: "shop", secret: secret, now: { clock.now })
        // The handlers need the shop, which is made of them.
        let boxed = Box()
        @Sendable func sell(_ request: ServiceRequest) async throws -> Response {
            guard let shop = boxed.shop else { throw Problem(.internal) }
            return try await idempotency.once(request, postgres, beforeReplay: steps.beforeReplay) { attempt in
                try await steps.early(shop)
                let goods = String(buffer: request.body)
                let response = try await postgres.withTransaction { transaction in
                    try await attempt.answer(in: transaction) {
                        try await steps.inside(shop)
                        let id = try await transaction.execute(
                            "INSERT INTO shop.sales (goods) VALUES (\(goods)) RETURNING id"
                        ).first?.decode(Int64.self)
                        var response = Response.json(.created) { $0.object { $0.field("token", "secret-\(id ?? 0)") } }
                        response.headers[.cacheControl] = "no-store"
                        return response
                    }
                }
                try await steps.late(shop)
                return response
            }
        }
        let table = RouteTable([
            Route(.post, "/sales", access: .public, handler: sell),
            Route(.patch, "/sales", access: .public, handler: sell),
            Route(.post, "/returns", access: .public, handler: sell),
        ])
        let health = Health()
        health.startServing()
        self.seal = IdentitySeal(secret)
        self.responder = ServiceResponder(table: table, seal: seal, health: health, log: nil, logger: logger)
        self.postgres = postgres
        self.idempotency = idempotency
        self.clock = clock
        self.server = server
        self.database = database
        boxed.set(self)
    }

    private final class Box: Sendable {
        private let value = Mutex<Shop?>(nil)
        var shop: Shop? { value.withLock { $0 } }
        func set(_ shop: Shop) { value.withLock { $0 = shop } }
    }

    /// One answer, and what a client may compare.
    struct Answer: Sendable, Hashable {
        var status: Int
        var type: String?
        var cache: String?
        var body: String

        func has(_ code: ProblemCode) -> Bool { status == code.status && body.contains("\"\(code.rawValue)\"") }
    }

    func send(
        _ method: HTTPRequest.Method = .post, _ path: String = "/sales", key: String?, body: String = #"{"a":1}"#,
        as claims: Claims = .anonymous
    ) async throws -> Answer {
        var head = HTTPRequest(method: method, scheme: "http", authority: "shop", path: path)
        if let key { head.headerFields[.init("Idempotency-Key") ?? .cookie] = key }
        head.headerFields[.init(Claims.headerName) ?? .cookie] = seal.sign(
            claims, method: method.rawValue, path: path, now: WallClock.seconds)
        head.headerFields[.contentType] = "application/json"
        head.headerFields[.contentLength] = "\(body.utf8.count)"
        let response = await responder.respond(to: head, body: RequestBody(buffer: ByteBuffer(string: body)))
        let answer = try await StoredAnswer(response)
        return Answer(
            status: answer.status, type: answer.fields[.contentType], cache: answer.fields[.cacheControl],
            body: String(buffer: answer.body))
    }

    /// Runs SQL beside the client under test.
    @discardableResult
    func sql(_ text: String) async throws -> String {
        try await server.psql(text, database: database)
    }

    func sales() async throws -> Int { Int(try await sql("SELECT count(*) FROM shop.sales")) ?? -1 }
    func kept() async throws -> Int { Int(try await sql("SELECT count(*) FROM shop.idempotency_keys")) ?? -1 }

    /// Until so many transactions wait for another one's lock.
    func waitForWaiters(_ count: Int) async throws {
        try await eventually(within: .seconds(40), "\(count) transactions wait") {
            try await sql(
                """
                SELECT count(*) >= \(count) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """) == "t"
        }
    }
}

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    private let time = Mutex(Timestamp.now())

    var now: Timestamp { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

extension Claims {
    static func someone() -> Claims { .user(.init(id: UUID(), flags: [], tokenID: 1)) }
}
