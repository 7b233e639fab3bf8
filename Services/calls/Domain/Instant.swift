/// A point in time, in microseconds since the Unix epoch, UTC.
public struct Instant: Sendable, Hashable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    public let microseconds: Int64

    /// - Parameter microseconds: since the Unix epoch.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The instant that lies so many minutes later (earlier, if negative); the end of time at the most.
    public func advanced(minutes: Int64) -> Instant {
        let (span, tooLong) = minutes.multipliedReportingOverflow(by: 60_000_000)
        let (sum, tooLate) = microseconds.addingReportingOverflow(span)
        if tooLong || tooLate { return Instant(microseconds: minutes < 0 ? .min : .max) }
        return Instant(microseconds: sum)
    }

    /// Whether it lies on :00, :15, :30 or :45 with no seconds.
    public var isOnAQuarterHour: Bool { microseconds.isMultiple(of: 15 * 60_000_000) }

    public static func < (one: Instant, other: Instant) -> Bool { one.microseconds < other.microseconds }
}
