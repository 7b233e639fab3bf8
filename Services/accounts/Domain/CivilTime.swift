/// A date and a time of day, as calendars and clocks on a wall show them (the proleptic Gregorian calendar).
public struct CivilTime: Sendable, Hashable {
    public var year: Int
    /// 1 is January.
    public var month: Int
    public var day: Int
    public var hour: Int
    public var minute: Int
    public var second: Int
    /// 0 is Sunday.
    public var weekday: Int

    /// What a clock in UTC shows so many seconds after 1970-01-01T00:00:00Z; one in a zone, when the seconds are those
    /// and its offset.
    public init(seconds: Int64) {
        let (days, time) = Self.floorDivide(seconds, by: 86_400)
        // Eras of 400 years that begin on 1 March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let (era, dayOfEra) = Self.floorDivide(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        day = Int(dayOfYear - (153 * shifted + 2) / 5 + 1)
        hour = Int(time / 3_600)
        minute = Int(time / 60 % 60)
        second = Int(time % 60)
        weekday = Self.weekday(days)
    }

    /// The day of a date, counted from 1970-01-01.
    public static func days(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let (era, yearOfEra) = floorDivide(Int64(month <= 2 ? year - 1 : year), by: 400)
        let dayOfYear = Int64((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// 0 is Sunday; 1970-01-01 was a Thursday.
    static func weekday(_ days: Int64) -> Int {
        Int(floorDivide(days + 4, by: 7).remainder)
    }

    static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
