import Foundation
import Identity
import Logging
import NIOCore
import NIOPosix
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle
import TestKit
import Testing

@testable import Events

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A database in which a source and its readers have their schemas, and the servers of one test.
struct Stage: Sendable {
    /// The source's schema, and those of who reads it.
    static let source = "source"
    static let readers = ["reader", "other"]
    static let seal = IdentitySeal(secret)

    private static var secret: SecretKey {
        guard let key = try? SecretKey(String(repeating: "s", count: 32)) else { preconditionFailure() }
        return key
    }

    let postgres: TestPostgres
    let redis: TestRedis
    /// Whether nobody takes Redis away.
    let isRedisSteady: Bool
    let database: String
    let client: PostgresClient

    /// - Parameters:
    ///   - postgres: a server of the test's own, if it is to be stopped.
    ///   - redis: one of the test's own, if it is to be stopped. nil starts one: all sources of these tests have the
    ///     same channel.
    static func with(
        postgres own: TestPostgres? = nil, redis ownRedis: TestRedis? = nil, _ body: (Stage) async throws -> Void
    ) async throws {
        let postgres: TestPostgres
        if let own { postgres = own } else { postgres = try await .shared() }
        let database = try await postgres.database(template: "events") { name in
            let tables = ([source] + readers).map { schema in
                """
                CREATE SCHEMA \(schema);
                \(EventTables.sql(schema: schema))
                CREATE TABLE \(schema).applied (
                    n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL, position bigint NOT NULL,
                    subject text NOT NULL, number bigint NOT NULL);
                CREATE TABLE \(schema).things (id text PRIMARY KEY, version bigint NOT NULL);
                """
            }
            try await postgres.psql(tables.joined(separator: "\n"), database: name)
        }
        let redis = if let ownRedis { ownRedis } else { try await TestRedis.start() }
        var configuration = PostgresConfiguration(postgres.conninfo(database: database), applicationName: "test")
        configuration.acquireTimeout = .seconds(20)
        try await PostgresClient.with(configuration, logger: quiet) { client in
            let stage = Stage(
                postgres: postgres, redis: redis, isRedisSteady: ownRedis == nil, database: database, client: client)
            try await body(stage)
        }
    }

    func configuration(_ name: String) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(postgres.conninfo(database: database), applicationName: name)
        configuration.acquireTimeout = .seconds(20)
        return configuration
    }

    /// Who waits for a steady Redis waits longer than any pause that a busy machine makes.
    var redisConfiguration: RedisConfiguration {
        var configuration = RedisConfiguration(host: "127.0.0.1", port: redis.port, name: "test")
        if isRedisSteady {
            configuration.connectTimeout = .seconds(20)
            configuration.commandTimeout = .seconds(20)
        }
        return configuration
    }

    // MARK: What there is

    func value<Value: PostgresDecodable>(_ sql: SQL, as type: Value.Type = Value.self) async throws -> Value {
        try #require(try await client.read(sql).first).decode(type)
    }

    /// The numbers of events that took effect at a reader, in the order in which they did.
    func applied(by reader: String = "reader") async throws -> [Int64] {
        try await client.read("SELECT number FROM \(unsafeRaw: reader).applied ORDER BY n").decode(Int64.self)
    }

    func cursor(of reader: String = "reader") async throws -> Int64? {
        try await client.read("SELECT position FROM \(unsafeRaw: reader).inbox_cursor").decode(Int64.self).first
    }

    func parked(by reader: String = "reader") async throws -> [(Int64, String)] {
        try await client.read("SELECT position, reason FROM \(unsafeRaw: reader).inbox_parked ORDER BY position")
            .decode((Int64, String).self)
    }

    /// The handler that most tests use: it notes the event's number.
    static func note(in reader: String = "reader") -> EventConsumer.Handler {
        { event, transaction in
            try await transaction.execute(
                """
                INSERT INTO \(unsafeRaw: reader).applied (event_id, position, subject, number) \
                VALUES (\(event.id), \(event.position), \(event.subject), \(event.number))
                """)
        }
    }
}

extension Event {
    /// Which one it is, in these tests.
    var number: Int64 { if case .integer(let number)? = data["number"] { number } else { -1 } }
}

extension NewEvent {
    static func numbered(_ number: Int, subject: String = "1", type: String = "thing.changed") -> NewEvent {
        NewEvent(type, subject: subject) { $0.field("number", number) }
    }
}

/// Runs services for as long as `body` does, and ends them in order.
func running<Result: Sendable>(
    _ services: [any Service], _ body: @Sendable () async throws -> Result
) async throws -> Result {
    let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: quiet))
    let task = Task { try await group.run() }
    do {
        let result = try await body()
        await group.triggerGracefulShutdown()
        try await task.value
        return result
    } catch {
        await group.triggerGracefulShutdown()
        _ = try? await task.value
        throw error
    }
}

/// Runs services until it is told to end.
struct Running: Sendable {
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    init(_ services: [any Service]) {
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: quiet))
        self.group = group
        task = Task { try await group.run() }
    }

    /// Ends them in order.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }

    /// Ends them as they stand.
    func kill() async {
        task.cancel()
        _ = try? await task.value
    }
}

let loops = MultiThreadedEventLoopGroup(numberOfThreads: 4)
