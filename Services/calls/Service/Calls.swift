import CallsDomain
import Events
import Idempotency
import Postgres

/// What the use cases of calls work with. Each is a method in a file of its own.
struct Calls: Sendable {
    let postgres: PostgresClient
    let outbox: Outbox
    let newRequests: NewRequests
    let idempotency: Idempotency
    let users: UserCopies
    let heroes: HeroCopies
    let pages: PageLinks
    let ledger: EventLedger
    /// Told when a time was agreed: its reminder may be the next.
    let reminders: ReminderBell
    /// The time that counts; the tests have their own.
    let now: @Sendable () -> Instant
}
