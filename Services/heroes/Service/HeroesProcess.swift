import Logging

/// The composition root: everything that a running heroes consists of.
public struct HeroesProcess: Sendable {
    public init() {}
}
