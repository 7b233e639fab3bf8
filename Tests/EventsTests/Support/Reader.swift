import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import Events

/// A replica of a service that reads the source.
struct Reader: Sendable {
    let consumer: EventConsumer
    let processes: Running
    let journal: Journal

    static let http = HTTPClient(configuration: InternalClient.httpConfiguration)

    static func owner(_ addresses: [String]) -> InternalClient {
        InternalClient(name: "reader", addresses: addresses, seal: Stage.seal, http: http)
    }

    /// Starts one.
    static func start(
        _ stage: Stage, _ addresses: [String], schema: String = "reader", name: String = "reader",
        snapshot: EventConsumer.Snapshot? = nil, handlers: [String: EventConsumer.Handler]? = nil,
        settings: ConsumerSettings = .quick
    ) -> Reader {
        let postgres = PostgresClient(stage.configuration(name), logger: quiet)
        let journal = Journal()
        let consumer = EventConsumer(
            of: Stage.source, schema: schema, postgres: postgres, redis: stage.redisConfiguration,
            eventLoop: loops.next(), owner: owner(addresses), snapshot: snapshot,
            handlers: handlers ?? ["thing.changed": Stage.note(in: schema)], settings: settings, logger: quiet,
            onCommit: { journal.add($0) })
        return Reader(consumer: consumer, processes: Running([postgres, consumer]), journal: journal)
    }

    /// Keeps copies of things.
    static let things = EventConsumer.Snapshot(path: "/internal/v1/things") { items, transaction in
        for item in items {
            guard case .string(let id)? = item["id"], case .integer(let version)? = item["version"] else { continue }
            try await store(id, version, transaction)
        }
    }

    static let copying: EventConsumer.Handler = { event, transaction in
        guard case .string(let id)? = event.data["id"], case .integer(let version)? = event.data["version"] else {
            return
        }
        try await store(id, version, transaction)
    }

    private static func store(_ id: String, _ version: Int64, _ transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO reader.things AS copy (id, version) VALUES (\(id), \(version)) \
            ON CONFLICT (id) DO UPDATE SET version = excluded.version WHERE excluded.version > copy.version
            """)
    }

    func stop() async throws { try await processes.stop() }
}

extension ConsumerSettings {
    /// Looks often, so that no test waits for it.
    static var quick: ConsumerSettings {
        var settings = ConsumerSettings()
        settings.lookInterval = .milliseconds(300)
        settings.deafLookInterval = .milliseconds(200)
        settings.retryPause = .milliseconds(5)
        settings.longestPause = .milliseconds(300)
        return settings
    }

    /// Never looks unless it has a reason.
    static var trusting: ConsumerSettings {
        var settings = quick
        settings.lookInterval = .seconds(3600)
        settings.deafLookInterval = .seconds(3600)
        return settings
    }
}

/// What was told after commits.
final class Journal: Sendable {
    private let events = Mutex<[Event]>([])

    func add(_ more: [Event]) { events.withLock { $0 += more } }
    var numbers: [Int64] { events.withLock { $0.filter { $0.type != Stage.unhandled }.map(\.number) } }
}

/// Counts calls.
final class Counting: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
