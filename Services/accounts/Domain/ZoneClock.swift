/// The clock of somebody's time zone, which can say when something is in words.
public struct ZoneClock: Sendable, Hashable {
    /// `America/Chicago`, or `UTC` when there is none better.
    public var name: String
    public var rules: TimeZoneRules

    public init(name: String, rules: TimeZoneRules) {
        self.name = name
        self.rules = rules
    }

    /// The clock for those whose own can't be read.
    public static let utc = ZoneClock(name: "UTC", rules: .utc)

    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    /// The date with its year, the time, what the zone calls it, and the zone's name, since several zones share a word:
    /// `Monday, December 25, 2017 at 12:00 AM CST (America/Chicago)`.
    public func text(of instant: Instant) -> String {
        let time = rules.civilTime(at: instant)
        let hour = time.hour % 12 == 0 ? 12 : time.hour % 12
        let minute = time.minute < 10 ? "0\(time.minute)" : "\(time.minute)"
        let zone = Self.word(for: rules.offset(at: instant))
        return """
            \(Self.weekdays[time.weekday]), \(Self.months[time.month - 1]) \(time.day), \(time.year) at \
            \(hour):\(minute) \(time.hour < 12 ? "AM" : "PM") \(zone)\(zone == name ? "" : " (\(name))")
            """
    }

    /// `CST`; where the abbreviation is a number, `UTC-03:00`.
    private static func word(for offset: ZoneOffset) -> String {
        let letters = offset.abbreviation.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
        }
        if letters, !offset.abbreviation.isEmpty { return offset.abbreviation }
        let minutes = abs(offset.seconds) / 60
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "UTC\(offset.seconds < 0 ? "-" : "+")\(two(minutes / 60)):\(two(minutes % 60))"
    }
}
