import AsyncHTTPClient
import Events
import Foundation
import Identity
import Logging
import NIOPosix
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle
import TestKit

/// The parts of a source of events and its readers, on one database, each in a schema of its own.
struct EventsStage: Sendable {
    let conninfo: String
    let redis: RedisConfiguration
    let seal: IdentitySeal
    let port: Int
    let owners: [String]
    let loops = MultiThreadedEventLoopGroup.singleton
    let logger: Logger
    private let writer: (outbox: Outbox, client: PostgresClient)
    /// Lives as long as the process: one that is dropped must be shut down before.
    private static let http = HTTPClient(configuration: InternalClient.httpConfiguration)

    /// - Parameters:
    ///   - port: where the source listens; nil takes a free one.
    ///   - owners: where the readers ask for it; nil means at this port.
    init(
        conninfo: String, redisURL: String, port: Int? = nil, owners: [String]? = nil,
        secret: String = "a secret of benchmarks and soaks, long enough"
    ) async throws {
        self.conninfo = conninfo
        redis = try RedisConfiguration(url: redisURL, name: "bench")
        seal = IdentitySeal(try SecretKey(secret))
        let port = if let port { port } else { try freePort() }
        self.port = port
        self.owners = owners ?? ["http://127.0.0.1:\(port)"]
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        self.logger = logger
        writer = (
            Outbox(service: "source"),
            PostgresClient(PostgresConfiguration(conninfo, applicationName: "writer"), logger: logger)
        )
    }

    /// Makes the schemas and their tables.
    func prepare(readers: [String]) async throws {
        let configuration = PostgresConfiguration(conninfo, applicationName: "prepare")
        try await PostgresClient.with(configuration, logger: logger) { client in
            try await client.withConnection { connection in
                for schema in ["source"] + readers {
                    try await connection.executeScript(
                        unsafeRaw: """
                            CREATE SCHEMA \(schema);
                            \(EventTables.sql(schema: schema))
                            CREATE TABLE \(schema).applied (
                                n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL,
                                position bigint NOT NULL, subject text NOT NULL, number bigint NOT NULL);
                            """)
                }
            }
        }
    }

    /// Runs services for as long as `body` does, beside the writer's connections.
    func running(_ services: [any Service], _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: services, logger: logger))
        let task = Task { try await group.run() }
        do { try await body() } catch {
            await group.triggerGracefulShutdown()
            _ = try? await task.value
            throw error
        }
        await group.triggerGracefulShutdown()
        try await task.value
    }

    // MARK: The source

    func relay(_ name: String) -> (relay: Relay, services: [any Service]) {
        let postgres = PostgresClient(PostgresConfiguration(conninfo, applicationName: name), logger: logger)
        let client = RedisClient(redis, eventLoop: loops.next(), logger: logger)
        return (Relay(writer.outbox, postgres: postgres, redis: client, logger: logger), [postgres, client])
    }

    /// Relay, ledger and writer.
    func source(_ name: String) -> [any Service] {
        let client = RedisClient(redis, eventLoop: loops.next(), logger: logger)
        let relay = Relay(writer.outbox, postgres: writer.client, redis: client, logger: logger)
        let ledger = EventLedger(writer.outbox, postgres: writer.client).route(for: ["reader"])
        return [writer.client, client, relay, HTTPService(port: port, routes: [ledger], seal: seal)]
    }

    /// A backlog, in few transactions.
    func write(_ count: Int) async throws {
        let configuration = PostgresConfiguration(conninfo, applicationName: "backlog")
        try await PostgresClient.with(configuration, logger: logger) { client in
            for start in stride(from: 0, to: count, by: 500) {
                try await client.withTransaction { transaction in
                    try await writer.outbox.append((start..<start + 500).map(event), in: transaction)
                }
            }
        }
    }

    /// One event in a transaction of its own, by the source's own process.
    func write(number: Int) async throws {
        try await writer.outbox.withTransaction(writer.client) { transaction in
            try await writer.outbox.append(event(number), in: transaction)
        }
    }

    /// What `make` makes of a transaction, in it.
    func write(_ make: @Sendable (PostgresTransaction) async throws -> NewEvent?) async throws {
        try await writer.outbox.withTransaction(writer.client) { transaction in
            if let event = try await make(transaction) { try await writer.outbox.append(event, in: transaction) }
        }
    }

    /// As large as most of ours are.
    func event(_ number: Int) -> NewEvent {
        NewEvent(
            "thing.changed", subject: "\(number % 1000)", recipients: [UUID()],
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ) { json in
            json.field("id", UUID())
            json.field("number", number)
            json.field("first_name", "Grace")
            json.field("last_name", "Hopper")
            json.field("profile_image", "https://images.example.com/people/grace.hopper.jpg")
            json.field("timezone", "America/New_York")
            json.field("version", 1)
        }
    }

    func head() async throws -> Int {
        let configuration = PostgresConfiguration(conninfo, applicationName: "look")
        return try await PostgresClient.with(configuration, logger: logger) { client in
            Int(try await writer.outbox.position(client))
        }
    }

    // MARK: A reader

    func reader(
        _ schema: String = "reader", onCommit: @escaping @Sendable ([Event]) async -> Void = { _ in }
    ) -> ReaderService {
        let postgres = PostgresClient(PostgresConfiguration(conninfo, applicationName: schema), logger: logger)
        let consumer = EventConsumer(
            of: "source", schema: schema, postgres: postgres, redis: redis, eventLoop: loops.next(),
            owner: InternalClient(name: "reader", addresses: owners, seal: seal, http: Self.http),
            handlers: [
                "thing.changed": { event, transaction in
                    guard case .integer(let number)? = event.data["number"] else { return }
                    try await transaction.execute(
                        """
                        INSERT INTO \(unsafeRaw: schema).applied (event_id, position, subject, number) \
                        VALUES (\(event.id), \(event.position), \(event.subject), \(number))
                        """)
                }
            ], logger: logger, onCommit: onCommit)
        return ReaderService(postgres: postgres, consumer: consumer)
    }
}

/// A consumer and its connections; the consumer ends first.
struct ReaderService: Service {
    let postgres: PostgresClient
    let consumer: EventConsumer

    func run() async throws {
        let postgres = postgres
        try await withThrowingTaskGroup(of: Void.self) { group in
            let connections = Task { try await postgres.run() }
            group.addTask { try await consumer.run() }
            try await group.waitForAll()
            connections.cancel()
            try await connections.value
        }
    }
}

/// Routes on a port, as a service has them.
struct HTTPService: Service {
    let port: Int
    let routes: [Route]
    let seal: IdentitySeal

    func run() async throws {
        var configuration = ServiceRunner.Configuration(name: "source", port: port, metricsPort: 0)
        configuration.host = "127.0.0.1"
        configuration.drainDelay = .zero
        var logger = Logger(label: "http")
        logger.logLevel = .error
        let runner = ServiceRunner(
            configuration, table: RouteTable(routes), seal: seal, registry: PrometheusRegistry(),
            log: LogWriter { _ in }, logger: logger)
        let group = runner.group(endingOn: [])
        try await withGracefulShutdownHandler {
            try await group.run()
        } onGracefulShutdown: {
            Task { await group.triggerGracefulShutdown() }
        }
    }
}
