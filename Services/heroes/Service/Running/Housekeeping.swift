import Logging
import Postgres
import ServiceKit
import ServiceLifecycle

/// Forgets, a little at a time, the places that heroes left long ago.
struct Housekeeping: Service {
    /// How long somebody may go from page to page and meet heroes where they were.
    static let memory: Duration = .seconds(3600)

    let postgres: PostgresClient
    let logger: Logger
    var interval: Duration = .seconds(60)

    func run() async {
        await Periodic("housekeeping", every: interval, logger: logger) { while try await clean() {} }.run()
    }

    /// Any number of processes may do it at once.
    ///
    /// - Parameter most: how many places in one transaction.
    /// - Returns: whether there may be more.
    @discardableResult
    func clean(most: Int = 10_000, olderThan age: Duration = memory) async throws -> Bool {
        let seconds = Double(age.components.seconds)
        return try await postgres.withTransaction { transaction in
            // Oldest editions first, whole: from the edition after them on, everything is known.
            let rows = try await transaction.execute(
                """
                WITH old AS (
                    SELECT max(until) AS until FROM (
                        SELECT until, ended FROM heroes.former_places ORDER BY until LIMIT \(most)
                    ) o WHERE ended < now() - make_interval(secs => \(seconds))
                ), gone AS (
                    DELETE FROM heroes.former_places f USING old WHERE f.until <= old.until RETURNING f.until
                )
                SELECT count(*), max(until) FROM gone
                """)
            guard let (count, until) = try rows.first?.decode((Int64, Int64?).self), let until else { return false }
            try await transaction.execute(
                "UPDATE heroes.edition SET pruned = \(until) WHERE pruned < \(until)")
            return count >= most
        }
    }
}
