import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who confirms that a payment method can be charged. Card numbers never come here: a client gives its number to the
/// provider and sends us the provider's name for it.
protocol PaymentProvider: Sendable {
    /// As it is kept beside what the provider confirmed.
    var name: String { get }

    /// Asks the provider to confirm a payment method. Never called inside a transaction.
    ///
    /// - Throws: ``PaymentsUnavailable`` when the provider gave no answer that can be relied on. The same attempt may
    ///   then be asked again: it has no second effect.
    func confirm(_ attempt: PaymentAttempt) async throws -> PaymentOutcome

    /// Tells the provider that a method is not ours any more. That it is gone already is a success.
    ///
    /// - Throws: ``PaymentsUnavailable``.
    func release(method: String) async throws
}

/// One try to have a payment method confirmed.
struct PaymentAttempt: Sendable {
    /// Ours; the provider sees it as the idempotency key.
    var id: UUID
    var userID: UUID
    /// The provider's name for the method, `pm_…`.
    var method: String
    /// The provider's name for the user, once there is one.
    var customer: String?
}

/// What a provider said of an attempt.
enum PaymentOutcome: Sendable, Equatable {
    case confirmed(customer: String?, intent: String?)
    /// Not yet: the provider will tell by its webhook.
    case pending(customer: String?, intent: String)
    /// The method can't be charged.
    case declined
    /// There is no such method.
    case unknownMethod
}

/// The provider could not be reached, or did not answer as documented.
struct PaymentsUnavailable: UnavailableError, CustomStringConvertible {
    /// Always: the same may be asked again.
    var isUnavailable: Bool { true }
    var description: String { reason }
    /// What happened, without anything that the provider or the client sent.
    let reason: String
}

/// The form of a provider's name for a payment method.
enum PaymentMethodName {
    static func isValid(_ text: String) -> Bool {
        text.hasPrefix("pm_") && (4...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
