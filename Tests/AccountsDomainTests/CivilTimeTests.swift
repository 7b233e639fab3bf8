import Testing

@testable import AccountsDomain

@Suite("Dates and times of day")
struct CivilTimeTests {
    @Test(
        "Seconds become the date that calendars have",
        arguments: [
            (0, [1970, 1, 1, 0, 0, 0, 4]), (-1, [1969, 12, 31, 23, 59, 59, 3]),
            (951_782_400, [2000, 2, 29, 0, 0, 0, 2]), (1_479_311_756, [2016, 11, 16, 15, 55, 56, 3]),
            (4_107_542_400, [2100, 3, 1, 0, 0, 0, 1]), (253_402_300_799, [9999, 12, 31, 23, 59, 59, 5]),
            (-62_135_596_800, [1, 1, 1, 0, 0, 0, 1]),
        ])
    func dates(seconds: Int, expected: [Int]) {
        let time = CivilTime(seconds: Int64(seconds))
        #expect([time.year, time.month, time.day, time.hour, time.minute, time.second, time.weekday] == expected)
        #expect(
            CivilTime.days(time.year, time.month, time.day) * 86_400
                + Int64(time.hour * 3600 + time.minute * 60 + time.second) == Int64(seconds))
    }

    @Test("Every day of four centuries comes after the one before")
    func consecutive() {
        var last = CivilTime(seconds: 0)
        for day in Int64(1)...146_097 {
            let time = CivilTime(seconds: day * 86_400)
            #expect(time.weekday == (last.weekday + 1) % 7)
            #expect(CivilTime.days(time.year, time.month, time.day) == day)
            if time.day != last.day + 1 { #expect(time.day == 1 && time.month == last.month % 12 + 1) }
            last = time
        }
    }
}
