import Logging
import Postgres
import ServiceKit

/// Deletes events that have been kept long enough, oldest first, in small pieces, so that what is kept has no holes and
/// nobody waits for it. An event without a position is never deleted.
struct Pruning: Sendable {
    private let outbox: Outbox
    private let postgres: PostgresClient
    private let settings: RelaySettings
    private let metrics: RelayMetrics
    private let logger: Logger

    init(
        _ outbox: Outbox, _ postgres: PostgresClient, _ settings: RelaySettings, _ metrics: RelayMetrics,
        _ logger: Logger
    ) {
        self.outbox = outbox
        self.postgres = postgres
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
    }

    /// Until the task is cancelled, or the process is told to end.
    func run() async {
        await Periodic("pruning events", every: settings.pruneInterval, logger: logger) {
            // Pauses, so that what is waited for gets its turn.
            while try await piece() == settings.prunePiece { try await Task.sleep(for: .milliseconds(20)) }
        }.run()
    }

    /// - Returns: how many were deleted.
    private func piece() async throws -> Int {
        let schema = outbox.schema
        let seconds = Double(settings.keep.components.seconds) + Double(settings.keep.components.attoseconds) / 1e18
        // The time is the beginning of the transaction and not in the order of positions: only what lies before the
        // first young one may go.
        let deleted = try await postgres.execute(
            """
            WITH oldest AS MATERIALIZED ( \
                SELECT id, position, time < now() - make_interval(secs => \(seconds)) AS may_go \
                FROM \(unsafeRaw: schema).outbox WHERE position IS NOT NULL \
                ORDER BY position LIMIT \(unsafeRaw: "\(settings.prunePiece)")) \
            DELETE FROM \(unsafeRaw: schema).outbox o USING oldest \
            WHERE o.id = oldest.id AND oldest.position < coalesce( \
                (SELECT min(position) FROM oldest WHERE NOT may_go), 9223372036854775807)
            """
        ).affected
        metrics.pruned(deleted)
        return deleted
    }
}
