import Logging

/// The composition root: everything that a running calls consists of.
public struct CallsProcess: Sendable {
    public init() {}
}
