/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z: what Postgres keeps and clients are shown.
public struct Instant: Sendable, Hashable, Comparable {
    /// Microseconds since the Unix epoch, leap seconds left out.
    public var microseconds: Int64

    /// - Parameter microseconds: since the Unix epoch.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Whole seconds since the Unix epoch, rounded down.
    public var seconds: Int64 {
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// This instant and so much time after it.
    ///
    /// - Parameter duration: at most some 290,000 years, which every setting of ours is checked to be far below.
    public func advanced(by duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        return Instant(microseconds: microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// The time from another instant until this one; negative when that one is later.
    public func since(_ other: Instant) -> Duration {
        .microseconds(microseconds - other.microseconds)
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.microseconds < right.microseconds
    }
}
