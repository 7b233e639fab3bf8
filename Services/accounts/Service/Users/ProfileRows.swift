import AccountsDomain
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reading profiles: one statement, by primary keys alone.
enum ProfileRows {
    /// Everything of one user. Codes that are used, worn out or too old wait for nothing.
    static func select(_ id: UUID, at now: Instant) -> SQL {
        """
        SELECT u.id, u.first_name, u.last_name, u.email, u.email_verified, u.email_notifications, u.phone,
            u.phone_verified, u.payment_verified, u.profile_image, u.is_active, u.timezone, u.created, u.updated,
            e.destination, p.destination
        FROM accounts.users u
        LEFT JOIN accounts.codes e ON e.user_id = u.id AND e.purpose = 'email' AND e.used IS NULL
            AND e.tries < \(VerificationCode.maximumTries) AND e.expires > \(now)
        LEFT JOIN accounts.codes p ON p.user_id = u.id AND p.purpose = 'phone' AND p.used IS NULL
            AND p.tries < \(VerificationCode.maximumTries) AND p.expires > \(now)
        WHERE u.id = \(id)
        """
    }

    /// The row of a user, which nobody else changes until the transaction ends. Every transaction that changes a user,
    /// its codes or its tokens takes this first, so that no two wait for each other.
    static func lock(_ id: UUID, at now: Instant) -> SQL {
        "\(select(id, at: now)) FOR NO KEY UPDATE OF u"
    }

    static func decode(_ row: PostgresRow) throws -> Profile {
        let (
            id, firstName, lastName, email, emailVerified, notifications, phone, phoneVerified, paymentVerified, image,
            isActive, timezone, created, updated, emailPending, phonePending
        ) = try row.decode(
            (
                UUID, String, String, String, Bool, Bool, String?, Bool, Bool, String?, Bool, String, Instant, Instant,
                String?, String?
            ).self)
        var user = User(
            id: id, firstName: PersonName(stored: firstName), lastName: PersonName(stored: lastName),
            email: EmailAddress(stored: email), timezone: TimeZoneName(stored: timezone), registered: created)
        user.emailVerified = emailVerified
        user.emailNotifications = notifications
        user.phone = phone.map(PhoneNumber.init(stored:))
        user.phoneVerified = phoneVerified
        user.paymentVerified = paymentVerified
        user.profileImage = image.map(ImageURL.init(stored:))
        user.isActive = isActive
        user.updated = updated
        return Profile(user: user, emailPending: emailPending, phonePending: phonePending)
    }
}

extension PostgresTransaction {
    /// A user's profile, the row locked until the transaction ends; nil if there is no such user.
    func lockedProfile(_ id: UUID, at now: Instant) async throws -> Profile? {
        try await execute(ProfileRows.lock(id, at: now)).first.map(ProfileRows.decode)
    }

    /// A user's profile as the transaction has left it.
    func profile(_ id: UUID, at now: Instant) async throws -> Profile? {
        try await execute(ProfileRows.select(id, at: now)).first.map(ProfileRows.decode)
    }
}
