#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A request for a call and its negotiation: a state machine that says who may do what from which state.
///
/// Two of its rules are the database's to decide, since only it sees every request at once: that a pair has one open
/// request, and that nobody has two agreed calls at the same time.
public struct CallRequest: Sendable, Hashable {
    /// Where a request stands.
    public enum Status: String, Sendable, Hashable, CaseIterable {
        case open = "o"
        case accepted = "a"
        case declined = "d"
    }

    /// Unicode scalars of a reason for declining.
    public static let reasonLength = 1...500

    public let requester: UUID
    /// The user who owns the hero profile that was asked.
    public let heroOwner: UUID
    /// Minutes.
    public let estimatedLength: Int64
    public private(set) var status: Status
    public private(set) var reason: String
    /// Oldest first.
    public private(set) var suggestions: [TimeSuggestion]
    public private(set) var agreedTime: Instant?

    /// A request as the store kept it.
    public init(
        requester: UUID, heroOwner: UUID, estimatedLength: Int64, status: Status = .open, reason: String = "",
        suggestions: [TimeSuggestion] = [], agreedTime: Instant? = nil
    ) {
        self.requester = requester
        self.heroOwner = heroOwner
        self.estimatedLength = estimatedLength
        self.status = status
        self.reason = reason
        self.suggestions = suggestions
        self.agreedTime = agreedTime
    }

    /// Whether a user is the requester or the hero.
    public func isParty(_ user: UUID) -> Bool { user == requester || user == heroOwner }

    /// The party on the other side of a user who is one.
    public func counterpart(of user: UUID) -> UUID { user == requester ? heroOwner : requester }

    /// When the agreed call ends.
    public var agreedEnd: Instant? { agreedTime?.advanced(minutes: estimatedLength) }

    /// The hero takes the call and offers three times.
    public mutating func accept(by user: UUID, times: SuggestedTimes, now: Instant) throws(CallRuleViolation) {
        try requireOpen(user)
        status = .accepted
        suggestions.append(TimeSuggestion(by: user, times: times, made: now))
    }

    /// The hero refuses the call and says why.
    public mutating func decline(by user: UUID, reason: String) throws(CallRuleViolation) {
        try requireOpen(user)
        guard Self.reasonLength.contains(reason.unicodeScalars.count) else {
            throw .invalid([FieldFault("reason", "Must have 1 to 500 characters.")])
        }
        status = .declined
        self.reason = reason
    }

    /// Either party offers three other times.
    public mutating func suggest(by user: UUID, times: SuggestedTimes, now: Instant) throws(CallRuleViolation) {
        try requireNegotiation(user)
        let earlier = Set(suggestions.flatMap(\.times.all))
        guard earlier.isDisjoint(with: times.all) else { throw .alreadySuggested }
        suggestions.append(TimeSuggestion(by: user, times: times, made: now))
    }

    /// Either party takes one of the times that the other offered last.
    public mutating func agree(by user: UUID, time: Instant, now: Instant) throws(CallRuleViolation) {
        try requireNegotiation(user)
        guard let newest = suggestions.last, newest.times.all.contains(time) else {
            throw .invalid([FieldFault("agreed_time", "Must be one of the three times suggested last.")])
        }
        guard newest.by != user else {
            throw .invalid([FieldFault("agreed_time", "The other side has to agree to the times that you suggested.")])
        }
        guard time > now else {
            throw .invalid([FieldFault("agreed_time", "Must be in the future.")])
        }
        agreedTime = time
    }

    /// Who may accept and decline, before a word of what they sent is read.
    public func requireHero(_ user: UUID) throws(CallRuleViolation) {
        guard user == heroOwner else { throw .notTheHeroAsked }
    }

    /// Who may negotiate, before a word of what they sent is read.
    public func requireParty(_ user: UUID) throws(CallRuleViolation) {
        guard isParty(user) else { throw .notAParty }
    }

    private func requireOpen(_ user: UUID) throws(CallRuleViolation) {
        try requireHero(user)
        guard status == .open else { throw .invalidState("The request was already accepted or declined.") }
    }

    private func requireNegotiation(_ user: UUID) throws(CallRuleViolation) {
        try requireParty(user)
        guard status == .accepted else { throw .invalidState("The request has not been accepted.") }
        guard agreedTime == nil else { throw .invalidState("A time has already been agreed.") }
    }
}
