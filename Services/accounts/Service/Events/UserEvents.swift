import AccountsDomain
import Events
import Identity
import ServiceKit

/// What accounts publishes; `Services/accounts/Events` has a schema and a sample of each.
extension NewEvent {
    /// A person has become a user.
    static func userRegistered(_ user: PublicUser, trace: TraceContext) -> NewEvent {
        shown("user.registered", user, trace)
    }

    /// What anybody may see of a user has changed.
    static func userUpdated(_ user: PublicUser, trace: TraceContext) -> NewEvent {
        shown("user.updated", user, trace)
    }

    private static func shown(_ type: String, _ user: PublicUser, _ trace: TraceContext) -> NewEvent {
        NewEvent(
            type, subject: user.id.uuidString.lowercased(), recipients: [user.id], traceparent: trace.traceparent
        ) { user.write(into: &$0) }
    }

    /// What a user has proved, or proves no longer.
    static func userVerified(_ owner: TokenOwner, trace: TraceContext) -> NewEvent {
        NewEvent(
            "user.verified", subject: owner.id.uuidString.lowercased(), recipients: [owner.id],
            traceparent: trace.traceparent
        ) { json in
            json.field("id", owner.id)
            json.field("email_verified", owner.flags.contains(.emailVerified))
            json.field("phone_verified", owner.flags.contains(.phoneVerified))
            json.field("payment_verified", owner.flags.contains(.paymentVerified))
        }
    }
}
