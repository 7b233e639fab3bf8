/// What a client wants changed in its profile. What it left out stays as it is.
public struct ProfilePatch: Sendable, Hashable {
    /// A new value, or none at all.
    public enum Change<Value: Sendable & Hashable>: Sendable, Hashable {
        /// The new value.
        case set(Value)
        /// What was there goes.
        case clear
    }

    /// The new first name; nil, here and below, leaves what there is.
    public var firstName: PersonName?
    /// The new last name.
    public var lastName: PersonName?
    /// An address that is to take the present one's place once it is verified.
    public var email: EmailAddress?
    /// Whether messages that aren't essential are wanted.
    public var emailNotifications: Bool?
    /// A number that is to take the present one's place once it is verified.
    public var phone: Change<PhoneNumber>?
    /// Where the picture is.
    public var profileImage: Change<ImageURL>?
    /// The user's own flag.
    public var isActive: Bool?
    /// In which the times of messages are written.
    public var timezone: TimeZoneName?

    /// A patch that changes nothing.
    public init() {}
}

/// What a patch comes to for one user.
public struct ProfileChange: Sendable, Hashable {
    /// The user afterwards.
    public var user: User
    /// Addresses and numbers that must prove themselves with a code before they replace the present ones.
    public var codes: [Destination]
    /// The number that waits for its code is given up.
    public var dropsPhoneCode: Bool
    /// The user may do less than before, which must be known everywhere before the client is answered.
    public var losesPrivilege: Bool

    /// Where a code goes.
    public enum Destination: Sendable, Hashable {
        /// By mail.
        case email(EmailAddress)
        /// By SMS.
        case phone(PhoneNumber)
    }
}

extension User {
    /// What a patch comes to for this user: a new address or number waits for its code, everything else changes at
    /// once. The present address given again is no change once it is verified; before, it asks for a new code.
    public func applying(_ patch: ProfilePatch, at now: Instant) -> ProfileChange {
        var change = ProfileChange(user: self, codes: [], dropsPhoneCode: false, losesPrivilege: false)
        if let firstName = patch.firstName { change.user.firstName = firstName }
        if let lastName = patch.lastName { change.user.lastName = lastName }
        if let emailNotifications = patch.emailNotifications { change.user.emailNotifications = emailNotifications }
        if let isActive = patch.isActive { change.user.isActive = isActive }
        if let timezone = patch.timezone { change.user.timezone = timezone }
        switch patch.profileImage {
        case .set(let image): change.user.profileImage = image
        case .clear: change.user.profileImage = nil
        case nil: break
        }
        if let email = patch.email, !(emailVerified && email == self.email) {
            change.codes.append(.email(email))
        }
        switch patch.phone {
        case .set(let number) where !(phoneVerified && number == phone): change.codes.append(.phone(number))
        case .clear:
            change.user.phone = nil
            change.user.phoneVerified = false
            change.dropsPhoneCode = true
            change.losesPrivilege = phoneVerified
        case .set, nil: break
        }
        if change.user != self || !change.codes.isEmpty || change.dropsPhoneCode { change.user.updated = now }
        return change
    }
}
