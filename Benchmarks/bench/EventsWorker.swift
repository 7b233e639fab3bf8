import Events
import Foundation
import Logging
import Postgres
import ServiceKit
import ServiceLifecycle

/// `bench events-worker source|reader`: a process of the soak test, to be killed at any moment.
///
/// `source` writes events at a rate, relays them and answers for its ledger; `reader` applies them. What there is to write
/// to, and whether to write at all, is in tables that the test has made.
enum EventsWorker {
    static func run(_ role: String) async throws {
        guard let conninfo = Main.setting("DATABASE_URL"), let redis = Main.setting("REDIS_URL") else {
            throw PostgresError(.unavailable, "DATABASE_URL and REDIS_URL are needed")
        }
        let stage = try await EventsStage(
            conninfo: conninfo, redisURL: redis, port: Main.setting("PORT").flatMap { Int($0) },
            owners: Main.setting("OWNERS").map { $0.split(separator: ",").map(String.init) })
        let services: [any Service] =
            role == "source"
            ? stage.source("source") + [WritingService(stage: stage, perSecond: Int(Main.setting("RATE") ?? "") ?? 100)]
            : [stage.reader(Main.setting("SCHEMA") ?? "reader")]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services, gracefulShutdownSignals: [.sigterm], logger: stage.logger))
        try await group.run()
    }
}

/// Writes events as long as `source.control` says so: each counts its subject up, under the subject's row lock.
private struct WritingService: Service {
    let stage: EventsStage
    let perSecond: Int
    private static let writers = 8

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<Self.writers { group.addTask { await write() } }
            }
        }
    }

    private func write() async {
        let pace = Duration.seconds(1) * Self.writers / perSecond
        while !Task.isCancelled {
            let next = ContinuousClock.now + pace
            // A write that fails, or whose end is not known, is no reason to stop; the outbox tells what was written.
            _ = try? await stage.count()
            // So many a second, whatever a write takes.
            try? await Task.sleep(until: next, clock: .continuous)
        }
    }
}

extension EventsStage {
    /// Counts a subject up, and tells of it.
    func count() async throws {
        try await write { transaction in
            let rows = try await transaction.execute(
                """
                UPDATE source.subjects SET number = number + 1 \
                WHERE id = \(Int.random(in: 1...100)) AND (SELECT is_writing FROM source.control) RETURNING id, number
                """)
            guard let (subject, number) = try rows.first?.decode((Int64, Int64).self) else { return nil }
            return NewEvent("thing.changed", subject: "\(subject)") { $0.field("number", number) }
        }
    }
}
