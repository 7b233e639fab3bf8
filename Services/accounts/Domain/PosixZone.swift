/// The rules that hold after the last change which a time zone's file lists: POSIX's TZ string with the extensions of
/// RFC 9636, section 3.3.1, such as `CST6CDT,M3.2.0,M11.1.0`.
struct PosixZone: Sendable, Hashable {
    /// Without daylight saving.
    var standard: ZoneOffset
    var daylight: Daylight?

    struct Daylight: Sendable, Hashable {
        var offset: ZoneOffset
        var start: Change
        var end: Change
    }

    /// When clocks change in a year: a day, and seconds after its midnight, which may be days away.
    struct Change: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// `Jn`: 1 to 365, 29 February is not counted.
            case julian(Int)
            /// `n`: 0 to 365.
            case ordinal(Int)
            /// `Mm.w.d`: the weekday d (0 is Sunday) in week w of month m; week 5 is the last.
            case weekday(month: Int, week: Int, weekday: Int)
        }

        var day: Day
        var seconds: Int64

        /// Seconds since the epoch that the clock on the wall shows then.
        func wallTime(in year: Int) -> Int64 {
            let days: Int64
            switch day {
            case .julian(let day):
                days = CivilTime.days(year, 1, 1) + Int64(day - 1) + (CivilTime.isLeap(year) && day >= 60 ? 1 : 0)
            case .ordinal(let day):
                days = CivilTime.days(year, 1, 1) + Int64(day)
            case .weekday(let month, let week, let weekday):
                let first = CivilTime.days(year, month, 1)
                let next = month == 12 ? CivilTime.days(year + 1, 1, 1) : CivilTime.days(year, month + 1, 1)
                var day = first + Int64((weekday - CivilTime.weekday(first) + 7) % 7) + Int64(7 * (week - 1))
                if day >= next { day -= 7 }
                days = day
            }
            return days * 86_400 + seconds
        }
    }

    /// What holds at so many seconds after the epoch.
    func offset(at seconds: Int64) -> ZoneOffset {
        guard let daylight else { return standard }
        // A change may lie in the year before or after the one that UTC's clock shows.
        let year = CivilTime(seconds: seconds).year
        var last: (time: Int64, isStart: Bool)?
        for year in (year - 1)...(year + 1) {
            let start = daylight.start.wallTime(in: year) - Int64(standard.seconds)
            let end = daylight.end.wallTime(in: year) - Int64(daylight.offset.seconds)
            for (time, isStart) in [(start, true), (end, false)] where time <= seconds {
                // An end that is a start at the same time is how a zone says that it always saves daylight.
                if let known = last, known.time > time || (known.time == time && known.isStart) { continue }
                last = (time, isStart)
            }
        }
        return last?.isStart == true ? daylight.offset : standard
    }
}

extension PosixZone {
    /// - Returns: nil when it isn't such a string.
    init?(_ text: some StringProtocol) {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard let name = reader.name(), let west = reader.time(maximumHours: 24) else { return nil }
        standard = ZoneOffset(seconds: Int(-west), isDaylight: false, abbreviation: name)
        if reader.rest.isEmpty { return }
        guard let name = reader.name() else { return nil }
        var offset = ZoneOffset(seconds: standard.seconds + 3_600, isDaylight: true, abbreviation: name)
        if reader.rest.first != UInt8(ascii: ",") {
            guard let west = reader.time(maximumHours: 24) else { return nil }
            offset.seconds = Int(-west)
        }
        guard reader.skip(","), let start = reader.change(), reader.skip(","), let end = reader.change(),
            reader.rest.isEmpty
        else { return nil }
        daylight = Daylight(offset: offset, start: start, end: end)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func skip(_ sign: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: sign) else { return false }
            rest.removeFirst()
            return true
        }

        private mutating func take(while isPart: (UInt8) -> Bool) -> String {
            let part = rest.prefix(while: isPart)
            rest = rest[part.endIndex...]
            return String(decoding: part, as: UTF8.self)
        }

        /// Letters, or in angle brackets digits and signs as well.
        mutating func name() -> String? {
            if skip("<") {
                let name = take { $0 != UInt8(ascii: ">") }
                return skip(">") && name.utf8.count >= 3 ? name : nil
            }
            let name = take { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
            return name.utf8.count >= 3 ? name : nil
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            let digits = take { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let number = Int(digits), range.contains(number) else { return nil }
            return number
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time(maximumHours: Int) -> Int64? {
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard let hours = number(0...maximumHours) else { return nil }
            var seconds = hours * 3_600
            for unit in [60, 1] where skip(":") {
                guard let number = number(0...59) else { return nil }
                seconds += number * unit
            }
            return Int64(isNegative ? -seconds : seconds)
        }

        mutating func change() -> Change? {
            let day: Change.Day
            if skip("M") {
                guard let month = number(1...12), skip("."), let week = number(1...5), skip("."),
                    let weekday = number(0...6)
                else { return nil }
                day = .weekday(month: month, week: week, weekday: weekday)
            } else if skip("J") {
                guard let number = number(1...365) else { return nil }
                day = .julian(number)
            } else {
                guard let number = number(0...365) else { return nil }
                day = .ordinal(number)
            }
            guard skip("/") else { return Change(day: day, seconds: 7_200) }
            return time(maximumHours: 167).map { Change(day: day, seconds: $0) }
        }
    }
}
