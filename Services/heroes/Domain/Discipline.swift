/// What a hero is good at.
public enum Discipline: String, Sendable, Hashable, CaseIterable {
    /// Front end.
    case frontEnd = "FE"
    /// Back end.
    case backEnd = "BE"
    case iOS = "IO"
    case android = "AN"
    /// User experience.
    case userExperience = "UX"
}
