#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Three instants that one party offers to the other.
public struct SuggestedTimes: Sendable, Hashable {
    /// Minutes that a suggested time must lie ahead.
    public static let leadMinutes: Int64 = 30

    public let one: Instant
    public let two: Instant
    public let three: Instant

    /// The three, in the order in which they were given.
    public var all: [Instant] { [one, two, three] }

    /// - Throws: every fault of the three at once, each under its field's name.
    public init(one: Instant, two: Instant, three: Instant, now: Instant) throws(CallRuleViolation) {
        let faults = Self.faults(one: one, two: two, three: three, now: now)
        guard faults.isEmpty else { throw .invalid(faults) }
        self.init(stored: one, two, three)
    }

    /// What is wrong with three times, each under its field's name. One that is missing breaks no rule of these.
    public static func faults(one: Instant?, two: Instant?, three: Instant?, now: Instant) -> [FieldFault] {
        var faults: [FieldFault] = []
        var seen: Set<Instant> = []
        for (field, time) in [("time_one", one), ("time_two", two), ("time_three", three)] {
            guard let time else { continue }
            if time < now.advanced(minutes: leadMinutes) {
                faults.append(FieldFault(field, "Must be at least \(leadMinutes) minutes ahead."))
            }
            if !time.isOnAQuarterHour {
                faults.append(FieldFault(field, "Must be on a quarter of an hour, with no seconds."))
            }
            if !seen.insert(time).inserted {
                faults.append(FieldFault(field, "Must differ from the other times."))
            }
        }
        return faults
    }

    /// Times that were valid when they were suggested, as the store kept them.
    public init(stored one: Instant, _ two: Instant, _ three: Instant) {
        self.one = one
        self.two = two
        self.three = three
    }
}

/// One move of the negotiation: who offered which times, and when.
public struct TimeSuggestion: Sendable, Hashable {
    public let by: UUID
    public let times: SuggestedTimes
    public let made: Instant

    public init(by: UUID, times: SuggestedTimes, made: Instant) {
        self.by = by
        self.times = times
        self.made = made
    }
}
