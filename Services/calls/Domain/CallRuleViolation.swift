/// What is wrong with one field, in words for its sender.
public struct FieldFault: Sendable, Hashable {
    public let field: String
    public let message: String

    public init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }
}

/// Why a move is refused.
public enum CallRuleViolation: Error, Sendable, Hashable {
    /// Only the hero who was asked may do this.
    case notTheHeroAsked
    /// Only the requester and the hero may do this.
    case notAParty
    /// The request's state doesn't allow it; the text says why.
    case invalidState(String)
    /// Fields that can't be right whatever the state.
    case invalid([FieldFault])
    /// An instant was suggested on this request before.
    case alreadySuggested
}
