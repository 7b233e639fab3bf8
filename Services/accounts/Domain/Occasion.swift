#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Something that happened at heroes or calls of which people are told.
public enum Occasion: Sendable, Hashable {
    case heroApplied(HeroFacts)
    case heroAccepted(HeroFacts)
    case heroDeclined(HeroFacts)
    case callRequested(CallFacts)
    case callAccepted(CallFacts, by: UUID, times: [Instant])
    case callDeclined(CallFacts, reason: String)
    case timesSuggested(CallFacts, by: UUID, times: [Instant])
    case timeAgreed(CallFacts, time: Instant)
    /// An agreed call starts soon.
    case reminderDue(CallFacts, time: Instant)

    /// A hero as the event tells of it.
    public struct HeroFacts: Sendable, Hashable {
        public var id: Int64
        /// The user who is it.
        public var owner: UUID
        public var title: String
        /// `FE`, `BE`, `IO`, `AN` or `UX`.
        public var discipline: String

        public init(id: Int64, owner: UUID, title: String, discipline: String) {
            self.id = id
            self.owner = owner
            self.title = title
            self.discipline = discipline
        }
    }

    /// A call request as the event tells of it.
    public struct CallFacts: Sendable, Hashable {
        public var id: Int64
        /// The user who asks.
        public var caller: UUID
        /// The user whom they ask.
        public var hero: UUID
        /// How long it is to be.
        public var minutes: Int64

        public init(id: Int64, caller: UUID, hero: UUID, minutes: Int64) {
            self.id = id
            self.caller = caller
            self.hero = hero
            self.minutes = minutes
        }

        /// The one of the two who isn't this one.
        public func other(than user: UUID) -> UUID {
            user == caller ? hero : caller
        }
    }
}

/// Who is told of an occasion, and how.
public struct Notice: Sendable, Hashable {
    public enum Audience: Sendable, Hashable {
        /// Every member of staff.
        case staff
        case user(UUID)
    }

    public var audience: Audience
    public var channel: MessageChannel
    /// Whether it goes to those as well who want nothing that they could do without.
    public var isEssential: Bool

    public init(_ audience: Audience, _ channel: MessageChannel = .mail, isEssential: Bool = true) {
        self.audience = audience
        self.channel = channel
        self.isEssential = isEssential
    }

    /// Whether it goes to a user. An SMS goes to verified numbers only, and there are no others.
    public func reaches(hasPhone: Bool, wantsNotifications: Bool) -> Bool {
        (isEssential || wantsNotifications) && (channel == .mail || hasPhone)
    }
}

extension Occasion {
    /// Who is told, as the contract's table of notifications has it.
    public var notices: [Notice] {
        switch self {
        case .heroApplied: [Notice(.staff)]
        case .heroAccepted(let hero), .heroDeclined(let hero): [Notice(.user(hero.owner))]
        case .callRequested(let call): [Notice(.user(call.hero))]
        case .callAccepted(let call, let side, _), .timesSuggested(let call, let side, _):
            [Notice(.user(call.other(than: side)))]
        case .callDeclined(let call, _): [Notice(.user(call.caller))]
        case .timeAgreed(let call, _): [Notice(.user(call.caller)), Notice(.user(call.hero))]
        case .reminderDue(let call, _):
            [call.caller, call.hero].flatMap { user in
                [Notice(.user(user), .sms), Notice(.user(user), isEssential: false)]
            }
        }
    }

    /// After this it is of no use to anybody to be told.
    public var notAfter: Instant? {
        if case .reminderDue(_, let time) = self { time } else { nil }
    }

    /// The user whom a message to a reader tells of.
    public func other(than reader: UUID) -> UUID? {
        switch self {
        case .heroApplied(let hero): hero.owner
        case .heroAccepted, .heroDeclined: nil
        case .callRequested(let call), .callAccepted(let call, _, _), .callDeclined(let call, _),
            .timesSuggested(let call, _, _), .timeAgreed(let call, _), .reminderDue(let call, _):
            call.other(than: reader)
        }
    }
}
