import Events
import HeroesDomain
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What heroes publishes. The schema of each, with samples, is in `Services/heroes/Events`.
enum HeroEvent: Sendable {
    case applied
    /// By a member of staff.
    case accepted(by: UUID)
    /// By a member of staff.
    case declined(by: UUID)
    case updated

    var type: String {
        switch self {
        case .applied: "hero.applied"
        case .accepted: "hero.accepted"
        case .declined: "hero.declined"
        case .updated: "hero.updated"
        }
    }

    init(_ decision: Decision, by staff: UUID) {
        self = decision == .accept ? .accepted(by: staff) : .declined(by: staff)
    }

    private var decidedBy: UUID? {
        switch self {
        case .accepted(let staff), .declined(let staff): staff
        case .applied, .updated: nil
        }
    }

    /// The event of a hero as it is after what happened.
    func of(_ hero: Hero, trace: TraceContext? = nil) -> NewEvent {
        NewEvent(type, subject: String(hero.id), recipients: [hero.userID], traceparent: trace?.traceparent) { json in
            json.field("id", hero.id)
            json.field("user", hero.userID)
            json.field("slug", hero.slug)
            json.field("title", hero.details.title)
            json.field("discipline", hero.details.discipline.rawValue)
            json.field("rate_in_cents", hero.details.rateInCents)
            json.field("state", hero.state.rawValue)
            json.field("accepted", hero.isAccepted)
            json.field("version", hero.version)
            if let decidedBy { json.field("decided_by", decidedBy) }
        }
    }
}
