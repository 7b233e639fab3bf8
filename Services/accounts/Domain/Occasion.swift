#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Something that happened at heroes or calls of which people are told.
public enum Occasion: Sendable, Hashable {
    /// Somebody wants to be a hero.
    case heroApplied(HeroFacts)
    /// Staff took them.
    case heroAccepted(HeroFacts)
    /// Staff did not.
    case heroDeclined(HeroFacts)
    /// A user asks a hero for a call.
    case callRequested(CallFacts)
    /// The hero (`by`) will, at one of these times.
    case callAccepted(CallFacts, by: UUID, times: [Instant])
    /// The hero won't, and says why.
    case callDeclined(CallFacts, reason: String)
    /// One of the two (`by`) would rather have one of these times.
    case timesSuggested(CallFacts, by: UUID, times: [Instant])
    /// The two have settled on when it starts.
    case timeAgreed(CallFacts, time: Instant)
    /// An agreed call starts soon.
    case reminderDue(CallFacts, time: Instant)

    /// A hero as the event tells of it.
    public struct HeroFacts: Sendable, Hashable {
        /// Its number at heroes.
        public var id: Int64
        /// The user who is it.
        public var owner: UUID
        /// What they say they are.
        public var title: String
        /// `FE`, `BE`, `IO`, `AN` or `UX`.
        public var discipline: String

        /// As they stand in the event.
        public init(id: Int64, owner: UUID, title: String, discipline: String) {
            self.id = id
            self.owner = owner
            self.title = title
            self.discipline = discipline
        }
    }

    /// A call request as the event tells of it.
    public struct CallFacts: Sendable, Hashable {
        /// Its number at calls.
        public var id: Int64
        /// The user who asks.
        public var caller: UUID
        /// The user whom they ask.
        public var hero: UUID
        /// How long it is to be.
        public var minutes: Int64

        /// As they stand in the event.
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
    /// Whom it goes to.
    public enum Audience: Sendable, Hashable {
        /// Every member of staff.
        case staff
        /// One user.
        case user(UUID)
    }

    /// Whom it goes to.
    public var audience: Audience
    /// By what.
    public var channel: MessageChannel
    /// Whether it goes to those as well who want nothing that they could do without.
    public var isEssential: Bool

    /// An essential one by mail, unless said otherwise.
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
