import Events
import HeroesDomain
import Postgres

/// What the use cases of heroes work with. Each is a method in a file of its own.
struct Heroes: Sendable {
    let postgres: PostgresClient
    let outbox: Outbox
    let ledger: EventLedger
    let accounts: AccountsClient
    let directory: Directory
    /// The time that counts; the tests have their own.
    let now: @Sendable () -> Timestamp
}
