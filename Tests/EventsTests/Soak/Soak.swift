import Foundation
import Postgres
import Synchronization
import TestKit
import Testing

@testable import Events

/// Two sources and two replicas of each of two readers, as processes; the servers between them; and what befalls them.
final class Soak: Sendable {
    static let readers = ["reader", "other"]

    enum Fault: String, CaseIterable {
        case killSource, killReader, cutPubSub, flushRedis, restartRedis, killRedis, restartPostgres, killPostgres
        case freezeReader, freezeSource
    }

    private let postgres: TestPostgres
    private let redis: TestRedis
    private let rate: Int
    private let ports: [Int]
    private let sources = Mutex<[RunningProcess]>([])
    private let consumers = Mutex<[RunningProcess]>([])

    static func start(rate: Int) async throws -> Soak {
        let soak = Soak(
            try await TestPostgres.start(), try await TestRedis.start(), rate, [try freePort(), try freePort()])
        let tables = (["source"] + readers).map { schema in
            """
            CREATE SCHEMA \(schema);
            \(EventTables.sql(schema: schema))
            CREATE TABLE \(schema).applied (
                n bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL, position bigint NOT NULL,
                subject text NOT NULL, number bigint NOT NULL);
            """
        }
        try await soak.postgres.psql(
            tables.joined(separator: "\n") + """
                CREATE TABLE source.subjects (id bigint PRIMARY KEY, number bigint NOT NULL);
                INSERT INTO source.subjects SELECT n, 0 FROM generate_series(1, 100) n;
                CREATE TABLE source.control (is_writing boolean NOT NULL);
                INSERT INTO source.control VALUES (true);
                """)
        for index in 0..<2 {
            let source = try await soak.source(index)
            soak.sources.withLock { $0.append(source) }
        }
        for index in 0..<4 {
            let reader = try await soak.reader(index)
            soak.consumers.withLock { $0.append(reader) }
        }
        return soak
    }

    private init(_ postgres: TestPostgres, _ redis: TestRedis, _ rate: Int, _ ports: [Int]) {
        self.postgres = postgres
        self.redis = redis
        self.rate = rate
        self.ports = ports
    }

    private func source(_ index: Int) async throws -> RunningProcess {
        try await RunningProcess.start(
            "bench", ["events-worker", "source"],
            environment: environment.merging(["PORT": "\(ports[index])", "RATE": "\(rate / 2)"]) { $1 })
    }

    private func reader(_ index: Int) async throws -> RunningProcess {
        try await RunningProcess.start(
            "bench", ["events-worker", "reader"],
            environment: environment.merging(["SCHEMA": Self.readers[index / 2]]) { $1 })
    }

    private var environment: [String: String] {
        [
            "DATABASE_URL": postgres.uri(), "REDIS_URL": redis.url,
            "OWNERS": ports.map { "http://127.0.0.1:\($0)" }.joined(separator: ","),
        ]
    }

    // MARK: Faults

    /// One fault after the other until so many events are written; each kind once at least.
    /// - Returns: how often each came.
    func disturb(until count: Int) async throws -> [String: Int] {
        var faults: [String: Int] = [:]
        var order: [Fault] = []
        while try await self.count("source.outbox") < count || faults.count < Fault.allCases.count {
            if order.isEmpty { order = Fault.allCases.shuffled() }
            let fault = order.removeLast()
            let before = try await self.count("source.outbox")
            try await strike(fault)
            faults[fault.rawValue, default: 0] += 1
            // Nothing is proved by faults of a system that does not run.
            try await eventually(within: .seconds(60), "events are written again after \(fault)") {
                try await self.count("source.outbox") > before + rate / 4
            }
            for reader in Self.readers {
                let applied = try await self.count("\(reader).applied")
                try await eventually(within: .seconds(60), "events take effect at \(reader) again after \(fault)") {
                    try await self.count("\(reader).applied") > applied
                }
            }
        }
        return faults
    }

    private func strike(_ fault: Fault) async throws {
        let index = Int.random(in: 0...3)
        switch fault {
        case .killSource:
            try await sources.withLock { $0[index % 2] }.kill9()
            let next = try await source(index % 2)
            sources.withLock { $0[index % 2] = next }
        case .killReader:
            try await consumers.withLock { $0[index] }.kill9()
            let next = try await reader(index)
            consumers.withLock { $0[index] = next }
        case .cutPubSub: try await redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        case .flushRedis: try await redis.cli("FLUSHALL")
        case .restartRedis: try await redis.restart()
        case .killRedis:
            try await redis.kill9()
            try await redis.start()
        case .restartPostgres: try await postgres.restart(.fast)
        case .killPostgres:
            try await postgres.kill9()
            try await postgres.start()
        case .freezeReader: try await freeze(consumers.withLock { $0[index] })
        case .freezeSource: try await freeze(sources.withLock { $0[index % 2] })
        }
    }

    /// Stands still for as long as it takes the others to do something.
    private func freeze(_ process: RunningProcess) async throws {
        process.freeze()
        defer { process.thaw() }
        for reader in Self.readers {
            let before = try await count("\(reader).applied")
            // A reader frozen in a transaction holds the cursor until the server ends that.
            try await eventually(within: .seconds(60), "events take effect at \(reader) beside a frozen process") {
                try await count("\(reader).applied") > before
            }
        }
    }

    // MARK: The end

    func stopWriting() async throws {
        try await eventually("told to stop") {
            try await postgres.psql("UPDATE source.control SET is_writing = false")
            return true
        }
        // A write under way at that moment holds its subject's row until it ends.
        try await postgres.psql("UPDATE source.subjects SET number = number")
    }

    func settle(_ reader: String, total: Int) async throws {
        try await eventually(within: .seconds(300), "\(total) events take effect at \(reader)") {
            let reached = try await value("SELECT position FROM \(reader).inbox_cursor")
            return Int(reached) ?? 0 >= total
        }
    }

    struct Report: CustomStringConvertible {
        var applied: Int
        var lost: Int
        var twice: Int
        var disordered: Int
        var parked: Int

        var description: String {
            "applied \(applied), lost \(lost), twice \(twice), out of order \(disordered), parked \(parked)"
        }
    }

    func report(_ reader: String) async throws -> Report {
        Report(
            applied: try await count("\(reader).applied"),
            lost: try await count(
                "source.outbox o WHERE NOT EXISTS (SELECT 1 FROM \(reader).applied a WHERE a.event_id = o.event_id)"),
            twice: try await count(
                "(SELECT event_id FROM \(reader).applied GROUP BY event_id HAVING count(*) > 1) twice"),
            // A subject counts up by one with each event.
            disordered: try await count(
                """
                (SELECT number - lag(number, 1, 0::bigint) OVER (PARTITION BY subject ORDER BY n) AS step
                FROM \(reader).applied) steps WHERE step <> 1
                """),
            parked: try await count("\(reader).inbox_parked"))
    }

    func stop() async throws {
        for process in consumers.withLock({ $0 }) + sources.withLock({ $0 }) {
            let status = try await process.terminate()
            #expect(status == 0, "\(process.output.suffix(2000))")
        }
    }

    func count(_ from: String) async throws -> Int {
        Int(try await value("SELECT count(*) FROM \(from)")) ?? -1
    }

    func value(_ sql: String) async throws -> String {
        try await postgres.psql(sql)
    }
}
