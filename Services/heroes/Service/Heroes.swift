import Events
import HeroesDomain
import Idempotency
import Postgres

/// What the use cases of heroes work with. Each is a method in a file of its own.
struct Heroes: Sendable {
    let postgres: PostgresClient
    let outbox: Outbox
    let ledger: EventLedger
    let accounts: AccountsClient
    let directory: Directory
    let idempotency: Idempotency
    /// The time that counts; the tests have their own.
    let now: @Sendable () -> Timestamp
}
