import Glibc

/// An instant, to the microsecond, as `timestamptz` has it: nothing is lost either way.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    public var microseconds: Int64

    /// - Parameter microseconds: microseconds since 1970-01-01T00:00:00Z.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The system's clock now.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// Rounded towards zero to microseconds; what lies beyond all times is the first or the last one.
    public static func + (left: Timestamp, right: Duration) -> Timestamp {
        let (seconds, attoseconds) = right.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return Timestamp(microseconds: seconds < 0 ? .min : .max) }
        let (sum, over) = left.microseconds.addingReportingOverflow(whole)
        if over { return Timestamp(microseconds: seconds < 0 ? .min : .max) }
        let (total, beyond) = sum.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return Timestamp(microseconds: beyond ? (attoseconds < 0 ? .min : .max) : total)
    }

    public static func - (left: Timestamp, right: Duration) -> Timestamp { left + (.zero - right) }

    /// How long after `earlier` this is; negative when it is before.
    public func since(_ earlier: Timestamp) -> Duration {
        .microseconds(microseconds) - .microseconds(earlier.microseconds)
    }
}

extension Timestamp: PostgresEncodable, PostgresDecodable {
    /// From 1970-01-01 to 2000-01-01, where the server's count begins (`POSTGRES_EPOCH_JDATE`).
    private static let epoch: Int64 = 946_684_800_000_000

    public static var postgresType: PostgresType { .binary(OID.timestamptz) }

    public func encode(into parameters: inout PostgresParameters) {
        let (value, overflow) = microseconds.subtractingReportingOverflow(Self.epoch)
        // The two outermost values mean -infinity and infinity to the server.
        if overflow || value == .min || value == .max { parameters.refuse("a time out of range") }
        parameters.write(value)
    }

    /// Reads `timestamptz`, and `timestamp` as UTC.
    public init(from cell: PostgresCell) throws {
        guard cell.type == OID.timestamptz || cell.type == OID.timestamp else { throw cell.mismatch(Timestamp.self) }
        let value: Int64 = try cell.integer()
        let (microseconds, overflow) = value.addingReportingOverflow(Self.epoch)
        guard value != .min, value != .max, !overflow else {
            throw PostgresError(.decoding, "infinity can't be read as a time")
        }
        self.init(microseconds: microseconds)
    }
}
