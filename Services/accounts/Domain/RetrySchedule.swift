/// When to try again what failed: after a time that doubles up to a limit, spread so that many don't come at once.
public struct RetrySchedule: Sendable, Hashable {
    /// The time before the second try.
    public var first: Duration
    /// No wait is longer.
    public var longest: Duration
    /// After so many tries it is given up.
    public var maximumTries: Int

    public init(
        first: Duration = .seconds(1), longest: Duration = .seconds(900), maximumTries: Int = 40
    ) {
        self.first = first
        self.longest = longest
        self.maximumTries = maximumTries
    }

    /// The wait after so many failed tries, or nil when that was the last.
    ///
    /// - Parameter random: from 0 up to 1; half of the wait depends on it.
    public func wait(afterTries tries: Int, random: Double) -> Duration? {
        guard tries < maximumTries else { return nil }
        let doubled = first * (1 << min(max(tries - 1, 0), 30))
        let whole = min(doubled, longest)
        return whole / 2 + (whole / 2) * random
    }
}
