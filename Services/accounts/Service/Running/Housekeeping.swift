import AccountsDomain
import Logging
import Postgres
import ServiceKit
import ServiceLifecycle

/// Removes what is over, a little at a time: tokens and codes that have ended, messages and events that were long ago.
struct Housekeeping: Service {
    let postgres: PostgresClient
    let logger: Logger
    let now: @Sendable () -> Instant
    var interval: Duration = .seconds(60)

    func run() async {
        await Periodic("housekeeping", every: interval, logger: logger) { try await clean() }.run()
    }

    /// Any number of processes may do it at once.
    func clean() async throws {
        let now = now()
        func ago(_ seconds: Int64) -> Instant { now.advanced(by: .seconds(-seconds)) }
        let day: Int64 = 86_400
        let statements: [SQL] = [
            """
            DELETE FROM accounts.auth_tokens WHERE id IN (
                SELECT id FROM accounts.auth_tokens WHERE expires <= \(now) ORDER BY expires LIMIT 1000)
            """,
            "DELETE FROM accounts.codes WHERE expires <= \(ago(day)) OR used <= \(ago(day))",
            "DELETE FROM accounts.resends WHERE sent <= \(ago(3600))",
            "UPDATE accounts.deliveries SET payload = NULL WHERE state = 'parked' AND payload IS NOT NULL AND not_after <= \(now)",
            // Longer than an event may be told again.
            """
            DELETE FROM accounts.deliveries WHERE id IN (
                SELECT id FROM accounts.deliveries WHERE state <> 'waiting' AND finished <= \(ago(30 * day))
                ORDER BY finished LIMIT 1000)
            """,
            "DELETE FROM accounts.payment_events WHERE received <= \(ago(30 * day))",
        ]
        for statement in statements { _ = try await postgres.execute(statement) }
    }
}
