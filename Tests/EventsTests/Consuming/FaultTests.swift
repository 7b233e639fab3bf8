import Foundation
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import Events

/// Source and readers as they run, with the servers between them failing.
@Suite struct FaultTests {
    /// Writes until it is told to end, whatever fails, and then waits until all of it took effect once and in order.
    private func consistent(
        postgres: TestPostgres? = nil, redis: TestRedis? = nil, faults: (Stage) async throws -> Void
    ) async throws {
        try await Stage.with(postgres: postgres, redis: redis) { stage in
            let sources = [
                try await Source.start(stage, name: "source a"), try await Source.start(stage, name: "source b"),
            ]
            let addresses = sources.map(\.address)
            let readers = ["reader", "other"].flatMap { schema in
                ["a", "b"].map { Reader.start(stage, addresses, schema: schema, name: "\(schema) \($0)") }
            }
            let writing = Task {
                await withTaskGroup(of: Void.self) { group in
                    for writer in 0..<4 {
                        group.addTask {
                            var number = 0
                            while !Task.isCancelled {
                                number += 1
                                // One that failed may have been written; then its number is there twice, in order.
                                try? await sources[writer % 2].publish([number], subject: "\(writer)")
                            }
                        }
                    }
                }
            }
            try await eventually("events flow") { try await stage.applied().count > 50 }
            do { try await faults(stage) } catch {
                writing.cancel()
                throw error
            }
            let before = (try? await stage.applied().count) ?? 0
            try await eventually(within: .seconds(30), "events flow again") {
                try await stage.applied().count > before + 50
            }
            writing.cancel()
            await writing.value
            let total = try await eventually("the database") {
                try await stage.value("SELECT count(*) FROM source.outbox", as: Int.self)
            }
            for schema in Stage.readers {
                try await eventually(within: .seconds(30), "all \(total) took effect at \(schema)") {
                    try await stage.applied(by: schema).count >= total
                }
                #expect(try await stage.applied(by: schema).count == total)
                let lost: Int = try await stage.value(
                    """
                    SELECT count(*) FROM source.outbox LEFT JOIN \(unsafeRaw: schema).applied USING (event_id) \
                    WHERE applied.event_id IS NULL
                    """)
                let disordered: Int = try await stage.value(
                    """
                    SELECT count(*) FROM (SELECT number - lag(number) OVER (PARTITION BY subject ORDER BY n) AS step \
                    FROM \(unsafeRaw: schema).applied) steps WHERE step < 0
                    """)
                #expect(lost == 0 && disordered == 0)
                #expect(try await stage.parked(by: schema).isEmpty)
            }
            for reader in readers { try await reader.stop() }
            for source in sources { try await source.processes.stop() }
        }
    }

    @Test func `pub and sub connections are cut`() async throws {
        try await consistent { stage in
            for _ in 0..<5 {
                try await stage.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
                let before = try await stage.applied().count
                try await eventually("events flow") { try await stage.applied().count > before + 20 }
            }
        }
    }

    @Test func `Redis is flushed, frozen, killed and restarted`() async throws {
        let redis = try await TestRedis.start()
        try await consistent(redis: redis) { stage in
            try await redis.cli("FLUSHALL")
            for fault in 0..<2 {
                if fault == 0 { try await redis.stop() } else { redis.freeze() }
                // The ledger is enough.
                let before = try await stage.applied().count
                try await eventually("events flow without Redis") { try await stage.applied().count > before + 20 }
                if fault == 0 { try await redis.start() } else { redis.thaw() }
            }
            try await redis.kill9()
            try await redis.start()
        }
    }

    @Test func `Postgres is restarted, and its connections are cut`() async throws {
        let postgres = try await TestPostgres.start()
        try await consistent(postgres: postgres) { stage in
            try await postgres.restart(.fast)
            try await postgres.kill9()
            try await postgres.start()
            for _ in 0..<5 {
                try await postgres.psql(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
                    """)
                let before = (try? await stage.applied().count) ?? 0
                try await eventually("events flow") { try await stage.applied().count > before }
            }
        }
    }

    @Test func `a relay dies while its events are being read`() async throws {
        try await consistent { stage in
            for _ in 0..<5 {
                try await stage.client.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
                let before = try await stage.applied().count
                try await eventually("events flow") { try await stage.applied().count > before + 20 }
            }
        }
    }
}
