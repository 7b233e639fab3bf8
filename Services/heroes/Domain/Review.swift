/// Where an application stands.
public enum ReviewState: String, Sendable, Hashable, CaseIterable {
    /// Waits for staff.
    case pending
    /// In the directory.
    case accepted
    case declined

    /// What a decision of staff does to an application. Either decision may be made at any time, and made again, which
    /// changes nothing.
    public func after(_ decision: Decision) -> Review {
        let next = decision.state
        return next == self ? .stands : .changes(to: next)
    }
}

/// What staff can decide.
public enum Decision: String, Sendable, Hashable, CaseIterable {
    case accept
    case decline

    /// The state it leads to.
    public var state: ReviewState { self == .accept ? .accepted : .declined }
}

/// What comes of a decision.
public enum Review: Sendable, Hashable {
    /// It is written down, takes effect and is told.
    case changes(to: ReviewState)
    /// It was decided so before: nothing happens and nobody is told again.
    case stands
}
