import AsyncHTTPClient
import Hummingbird
import Logging
import NIOCore
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle
import TestKit
import Testing

@testable import Events

/// A replica of the source: its relay, its ledger, its snapshot.
struct Source: Sendable {
    let outbox: Outbox
    let postgres: PostgresClient
    let port: Int
    let processes: Running

    /// Starts one; it listens when this returns.
    static func start(
        _ stage: Stage, name: String = "source", settings: RelaySettings = RelaySettings()
    ) async throws -> Source {
        let outbox = Outbox(service: Stage.source)
        let postgres = PostgresClient(stage.configuration(name), logger: quiet)
        let redis = RedisClient(stage.redisConfiguration, eventLoop: loops.next(), logger: quiet)
        let relay = Relay(outbox, postgres: postgres, redis: redis, settings: settings, logger: quiet)
        let routes = [
            EventLedger(outbox, postgres: postgres).route(for: ["reader"]), snapshot(outbox, postgres),
        ]
        let port = try freePort()
        let processes = Running([postgres, redis, relay, HTTPService(port: port, routes: routes)])
        try await eventually("the source listens") { isListening(port) }
        return Source(outbox: outbox, postgres: postgres, port: port, processes: processes)
    }

    var address: String { "http://127.0.0.1:\(port)" }

    /// A snapshot of `things`, two to a page at most, whatever was asked for.
    private static func snapshot(_ outbox: Outbox, _ postgres: PostgresClient) -> Route {
        Route(.get, "/internal/v1/things", access: .service(["reader"])) { request in
            let after = try request.query["after"] ?? ""
            let position = try await outbox.position(postgres)
            let things = try await postgres.read(
                "SELECT id, version FROM source.things WHERE id > \(after) ORDER BY id LIMIT 2"
            ).decode((String, Int64).self)
            return SnapshotPage.response(position: position, next: things.count == 2 ? things[1].0 : nil) { json in
                for (id, version) in things {
                    json.object {
                        $0.field("id", id)
                        $0.field("version", version)
                    }
                }
            }
        }
    }

    func publish(_ numbers: some Sequence<Int> & Sendable, subject: String = "1") async throws {
        for number in numbers {
            try await outbox.withTransaction(postgres) {
                try await outbox.append(.numbered(number, subject: subject), in: $0)
            }
        }
    }

    /// Changes a thing and tells of it.
    func change(_ id: String) async throws {
        let outbox = outbox
        try await outbox.withTransaction(postgres) { transaction in
            let changed = try await transaction.execute(
                """
                INSERT INTO source.things AS old (id, version) VALUES (\(id), 1) \
                ON CONFLICT (id) DO UPDATE SET version = old.version + 1 RETURNING version
                """)
            let version = try #require(changed.first).decode(Int64.self)
            try await outbox.append(
                NewEvent("thing.changed", subject: id) {
                    $0.field("id", id)
                    $0.field("version", version)
                    $0.field("number", version)
                }, in: transaction)
        }
    }
}

/// Routes on a port, as a service has them.
struct HTTPService: Service {
    let port: Int
    let routes: [Route]

    func run() async throws {
        var configuration = ServiceRunner.Configuration(name: "source", port: port, metricsPort: 0)
        configuration.host = "127.0.0.1"
        configuration.drainDelay = .zero
        configuration.shutdownLimit = .seconds(5)
        let runner = ServiceRunner(
            configuration, table: RouteTable(routes), seal: Stage.seal, registry: PrometheusRegistry(),
            log: LogWriter { _ in }, logger: quiet)
        let group = runner.group(endingOn: [])
        try await withGracefulShutdownHandler {
            try await group.run()
        } onGracefulShutdown: {
            Task { await group.triggerGracefulShutdown() }
        }
    }
}
