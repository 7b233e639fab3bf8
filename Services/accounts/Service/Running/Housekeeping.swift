import AccountsDomain
import Logging
import Postgres
import ServiceKit
import ServiceLifecycle

/// Removes what is over, a little at a time: tokens and codes that have ended, messages, events and attempts to verify a
/// form of payment that were long ago.
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
            DELETE FROM accounts.auth_tokens WHERE id = ANY (ARRAY(
                SELECT id FROM accounts.auth_tokens WHERE expires <= \(now) ORDER BY expires LIMIT 1000))
            """,
            // What may be in use again at this very moment is locked before it goes.
            """
            WITH ended AS MATERIALIZED (
                SELECT user_id, purpose FROM accounts.codes WHERE expires <= \(ago(day)) OR used <= \(ago(day))
                LIMIT 1000 FOR UPDATE SKIP LOCKED)
            DELETE FROM accounts.codes c USING ended WHERE c.user_id = ended.user_id AND c.purpose = ended.purpose
            """,
            """
            DELETE FROM accounts.resends WHERE destination = ANY (ARRAY(
                SELECT destination FROM accounts.resends WHERE sent <= \(ago(3600))
                ORDER BY sent LIMIT 1000 FOR UPDATE SKIP LOCKED))
            """,
            """
            UPDATE accounts.deliveries SET payload = NULL WHERE id = ANY (ARRAY(
                SELECT id FROM accounts.deliveries
                WHERE state = 'parked' AND payload IS NOT NULL AND not_after <= \(now)
                LIMIT 1000 FOR UPDATE SKIP LOCKED))
            """,
            // Longer than an event may be told again.
            """
            DELETE FROM accounts.deliveries WHERE id = ANY (ARRAY(
                SELECT id FROM accounts.deliveries WHERE state <> 'waiting' AND finished <= \(ago(30 * day))
                ORDER BY finished LIMIT 1000 FOR UPDATE SKIP LOCKED))
            """,
            """
            DELETE FROM accounts.payment_events WHERE id = ANY (ARRAY(
                SELECT id FROM accounts.payment_events WHERE received <= \(ago(30 * day))
                ORDER BY received LIMIT 1000))
            """,
            // Longer than a key or the provider comes back to one.
            """
            DELETE FROM accounts.payment_attempts WHERE id = ANY (ARRAY(
                SELECT id FROM accounts.payment_attempts
                WHERE state IN ('failed', 'superseded') AND updated <= \(ago(30 * day))
                LIMIT 1000 FOR UPDATE SKIP LOCKED))
            """,
        ]
        for statement in statements {
            while try await postgres.execute(statement).affected == 1000, !Task.isCancelled {}
        }
    }
}
