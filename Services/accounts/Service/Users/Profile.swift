import AccountsDomain
import Identity
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A user with what waits for its code: the block that its owner is shown.
struct Profile: Sendable, Hashable {
    var user: User
    var emailPending: String?
    var phonePending: String?

    /// Writes the members of the block. The token goes with it only when it was issued by the same request.
    func write(into json: inout JSONWriter, token: Token? = nil) {
        json.field("id", user.id)
        json.field("first_name", user.firstName.text)
        json.field("last_name", user.lastName.text)
        json.field("email", user.email.text)
        json.field("email_verified", user.emailVerified)
        json.field("email_notifications", user.emailNotifications)
        json.field("phone", user.phone?.digits)
        json.field("phone_verified", user.phoneVerified)
        json.field("payment_verified", user.paymentVerified)
        json.field("profile_image", user.profileImage?.text)
        json.field("is_active", user.isActive)
        json.field("email_pending", emailPending)
        json.field("phone_pending", phonePending)
        json.field("timezone", user.timezone.text)
        json.field("created", microseconds: user.created.microseconds)
        json.field("updated", microseconds: user.updated.microseconds)
        if let token { json.field("token", token.secret) }
    }
}
