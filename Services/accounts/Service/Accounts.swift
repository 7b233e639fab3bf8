import AccountsDomain
import Events
import Idempotency
import Postgres

/// What the use cases of accounts work with. Each is a method in a file of its own.
struct Accounts: Sendable {
    let postgres: PostgresClient
    let passwords: PasswordHasher
    let tokens: TokenStore
    let codes: CodeHasher
    /// What other services learn of.
    let outbox: Outbox
    let outgoing: DeliveryQueue
    /// Answers again what came before with the same key.
    let idempotency: Idempotency
    let payments: any PaymentProvider
    /// Checks what Stripe posts; nil unless Stripe is the provider.
    let webhook: StripeWebhook?
    let zones: TimeZoneDatabase
    let rules: Rules
    /// The time that counts; the tests have their own.
    let now: @Sendable () -> Instant

    /// What operators may decide.
    struct Rules: Sendable {
        var lifetimes = Lifetimes()
        /// Whether messages that a change of profile asks for are limited.
        var limitsResends = true
        /// Whether asking for a new password tells nobody which accounts there are.
        var hidesAccounts = false
    }
}
