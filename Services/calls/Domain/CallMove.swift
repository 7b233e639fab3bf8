#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a party does with a request.
public enum CallMove: Sendable, Hashable {
    /// The hero takes the call and offers three times.
    case accept(SuggestedTimes)
    /// The hero refuses the call and says why.
    case decline(reason: String)
    /// Either party offers three other times.
    case suggest(SuggestedTimes)
    /// Either party takes one of the times that the other offered last.
    case agree(Instant)
}

extension CallRequest {
    /// Makes a move, or changes nothing.
    ///
    /// - Throws: the first rule that the move breaks: who, then the state, then what only this request knows.
    public mutating func make(_ move: CallMove, by user: UUID, now: Instant) throws(CallRuleViolation) {
        switch move {
        case .accept(let times): try accept(by: user, times: times, now: now)
        case .decline(let reason): try decline(by: user, reason: reason)
        case .suggest(let times): try suggest(by: user, times: times, now: now)
        case .agree(let time): try agree(by: user, time: time, now: now)
        }
    }
}
