/// How long to wait before trying again: doubling up to a cap, with jitter so that replicas do not come in step.
struct Backoff: Sendable {
    /// The first wait.
    var first: Duration
    /// The longest wait.
    var cap: Duration
    /// Tries that have failed in a row.
    private(set) var failures = 0

    init(first: Duration, cap: Duration) {
        self.first = first
        self.cap = cap
    }

    /// Counts a failure and tells the wait: between half of the doubled time and the whole of it.
    ///
    /// - Parameter random: 0 to 1.
    mutating func next(random: Double = .random(in: 0...1)) -> Duration {
        failures += 1
        let doubled = first * (1 << min(failures - 1, 20))
        let whole = min(doubled, cap)
        return whole / 2 + whole / 2 * min(max(random, 0), 1)
    }

    /// It worked: the next wait is the first again.
    mutating func reset() {
        failures = 0
    }
}
