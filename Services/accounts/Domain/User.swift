#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A person with an account, as the profile shows them.
public struct User: Sendable, Hashable {
    public var id: UUID
    public var firstName: PersonName
    public var lastName: PersonName
    /// The address that signs in. It is reserved from registration on, verified or not.
    public var email: EmailAddress
    public var emailVerified: Bool
    /// Whether messages that aren't essential are wanted.
    public var emailNotifications: Bool
    /// Only ever a verified number.
    public var phone: PhoneNumber?
    public var phoneVerified: Bool
    public var paymentVerified: Bool
    public var profileImage: ImageURL?
    /// The user's own flag, which gates nothing.
    public var isActive: Bool
    public var timezone: TimeZoneName
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
