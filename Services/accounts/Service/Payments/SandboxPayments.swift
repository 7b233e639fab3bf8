/// A provider for development and tests: it knows two methods and charges nobody.
struct SandboxPayments: PaymentProvider {
    /// Always confirmed.
    static let good = "pm_card_visa"
    /// Always declined.
    static let declined = "pm_card_chargeDeclined"

    var name: String { "sandbox" }

    func confirm(_ attempt: PaymentAttempt) async throws -> PaymentOutcome {
        switch attempt.method {
        case Self.good: .confirmed(customer: nil, intent: nil)
        case Self.declined: .declined
        default: .unknownMethod
        }
    }

    func release(method: String) async throws {}
}
