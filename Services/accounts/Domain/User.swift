#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A person with an account, as the profile shows them.
public struct User: Sendable, Hashable {
    /// The same for ever, and in every service.
    public var id: UUID
    /// As others see it.
    public var firstName: PersonName
    /// As others see it.
    public var lastName: PersonName
    /// The address that signs in. It is reserved from registration on, verified or not.
    public var email: EmailAddress
    /// Whether a code has shown that mail to ``email`` arrives.
    public var emailVerified: Bool
    /// Whether messages that aren't essential are wanted.
    public var emailNotifications: Bool
    /// Only ever a verified number.
    public var phone: PhoneNumber?
    /// Whether there is a ``phone``.
    public var phoneVerified: Bool
    /// Whether there is a form of payment that its provider has checked.
    public var paymentVerified: Bool
    /// Where a picture is; it is never fetched.
    public var profileImage: ImageURL?
    /// The user's own flag, which gates nothing.
    public var isActive: Bool
    /// In which the times of messages are written.
    public var timezone: TimeZoneName
    /// When they registered.
    public var created: Instant
    /// When anything that the profile shows last changed.
    public var updated: Instant

    /// A user who has just registered.
    public init(
        id: UUID, firstName: PersonName, lastName: PersonName, email: EmailAddress, timezone: TimeZoneName,
        registered: Instant
    ) {
        self.id = id
        self.firstName = firstName
        self.lastName = lastName
        self.email = email
        self.emailVerified = false
        self.emailNotifications = false
        self.phone = nil
        self.phoneVerified = false
        self.paymentVerified = false
        self.profileImage = nil
        self.isActive = false
        self.timezone = timezone
        self.created = registered
        self.updated = registered
    }
}
