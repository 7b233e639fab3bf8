import Foundation
import Testing

@testable import AccountsDomain

@Suite("Time zones")
struct TimeZoneRulesTests {
    static func instant(_ text: String) throws -> Instant {
        let date = try Date(text, strategy: .iso8601)
        return Instant(microseconds: Int64(date.timeIntervalSince1970) * 1_000_000)
    }

    // MARK: TZ strings

    @Test(
        "A TZ string says what holds at any time, also in the south, with odd hours, and across the new year",
        arguments: [
            ("CST6CDT,M3.2.0,M11.1.0", "2099-03-08T07:59:59Z", "CST", -6.0),
            ("CST6CDT,M3.2.0,M11.1.0", "2099-03-08T08:00:00Z", "CDT", -5.0),
            ("CST6CDT,M3.2.0,M11.1.0", "2099-11-01T06:59:59Z", "CDT", -5.0),
            ("CST6CDT,M3.2.0,M11.1.0", "2099-11-01T07:00:00Z", "CST", -6.0),
            ("EET-2EEST,M3.5.0/3,M10.5.0/4", "2040-03-25T01:00:00Z", "EEST", 3.0),
            ("EET-2EEST,M3.5.0/3,M10.5.0/4", "2040-10-28T01:00:00Z", "EET", 2.0),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2041-01-01T00:00:00Z", "AEDT", 11.0),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2041-07-01T00:00:00Z", "AEST", 10.0),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2041-01-01T00:00:00Z", "GMT", 0.0),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2041-07-01T00:00:00Z", "IST", 1.0),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2041-03-31T00:59:59Z", "-02", -2.0),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2041-03-31T01:00:00Z", "-01", -1.0),
            ("EST5EDT4,0/0,J365/25", "2041-01-01T05:00:00Z", "EDT", -4.0),
            ("EST5EDT4,0/0,J365/25", "2041-12-31T23:59:59Z", "EDT", -4.0),
            ("<+0530>-5:30", "2041-12-31T23:59:59Z", "+0530", 5.5), ("UTC0", "2041-12-31T23:59:59Z", "UTC", 0.0),
            ("AAA0BBB,J60/0,J61/0", "2040-03-01T00:00:00Z", "BBB", 1.0),
            ("AAA0BBB,J60/0,J61/0", "2040-02-29T23:59:59Z", "AAA", 0.0),
            ("AAA0BBB,59/0,61/0", "2040-02-29T00:00:00Z", "BBB", 1.0),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "2041-03-29T00:00:00Z", "IDT", 3.0),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "2041-03-28T23:59:59Z", "IST", 2.0),
        ])
    func strings(text: String, time: String, name: String, hours: Double) throws {
        let zone = try #require(PosixZone(text))
        let offset = zone.offset(at: try Self.instant(time).seconds)
        #expect(offset.abbreviation == name && Double(offset.seconds) == hours * 3600)
    }

    @Test(
        "Other strings are none",
        arguments: [
            "", "C", "CST", "CST6CDT", "CST6CDT,M3.2.0", "CST6CDT,M13.2.0,M11.1.0", "CST6CDT,M3.6.0,M11.1.0",
            "CST6CDT,M3.2.7,M11.1.0", "CST25", "CST6:60", "<-03", "<>3", "CST6CDT,J0,J1", "CST6CDT,366,1",
            "CST6CDT,M3.2.0,M11.1.0,", "CST6 ", "CST6CDT,M3.2.0/168,M11.1.0", "CST99999999999999999999",
        ])
    func noStrings(text: String) {
        #expect(PosixZone(text) == nil)
    }

    // MARK: Files

    /// A file of version 2 with two changes.
    static func file(footer: String = "CST6CDT,M3.2.0,M11.1.0") -> [UInt8] {
        func block(_ version: Character, size: Int) -> [UInt8] {
            func word(_ value: Int64, _ size: Int) -> [UInt8] {
                (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            }
            var bytes = Array("TZif\(version)".utf8) + [UInt8](repeating: 0, count: 15)
            for count: Int64 in [0, 0, 0, 2, 3, 12] { bytes += word(count, 4) }
            bytes += word(-2_000_000_000, size) + word(1_000_000_000, size) + [1, 2]
            bytes += word(-21_036, 4) + [0, 0] + word(-21_600, 4) + [0, 4] + word(-18_000, 4) + [1, 8]
            return bytes + Array("LMT\0CST\0CDT\0".utf8)
        }
        return block("2", size: 4) + block("2", size: 8) + Array("\n\(footer)\n".utf8)
    }

    @Test("A file says what held before, between and after its changes")
    func file() throws {
        let rules = try TimeZoneRules(tzif: Self.file())
        func name(_ seconds: Int64) -> String {
            rules.offset(at: Instant(microseconds: seconds * 1_000_000)).abbreviation
        }
        #expect(name(-2_000_000_001) == "LMT" && name(-2_000_000_000) == "CST" && name(999_999_999) == "CST")
        // From the last change on the string holds: it is September.
        #expect(name(1_000_000_000) == "CDT" && name(4_000_000_000) == "CDT" && name(4_010_000_000) == "CST")
        let bare = try TimeZoneRules(tzif: Self.file(footer: ""))
        #expect(bare.offset(at: Instant(microseconds: 4_010_000_000_000_000)).abbreviation == "CDT")
    }

    @Test("A file that is cut short or spoilt is refused or read, and nothing else happens")
    func spoilt() throws {
        let file = Self.file()
        for count in 0..<file.count {
            #expect(throws: InvalidValue.self) { try TimeZoneRules(tzif: Array(file[..<count])) }
        }
        for index in file.indices {
            for byte: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var spoilt = file
                spoilt[index] = byte
                let rules = try? TimeZoneRules(tzif: spoilt)
                _ = rules?.civilTime(at: Instant(microseconds: 4_010_000_000_000_000))
            }
        }
    }

    // MARK: Words

    @Test(
        "A time is told with its date, year and zone",
        arguments: [
            ("2017-12-25T06:00:00Z", "Monday, December 25, 2017 at 12:00 AM CST (America/Chicago)"),
            ("2017-12-25T18:05:00Z", "Monday, December 25, 2017 at 12:05 PM CST (America/Chicago)"),
            ("2017-07-04T01:45:00Z", "Monday, July 3, 2017 at 8:45 PM CDT (America/Chicago)"),
            ("2045-03-12T08:00:00Z", "Sunday, March 12, 2045 at 3:00 AM CDT (America/Chicago)"),
        ])
    func words(time: String, expected: String) throws {
        let clock = ZoneClock(name: "America/Chicago", rules: try TimeZoneRules(tzif: Self.file()))
        let instant = try Self.instant(time)
        // The file has no change of 2017: see the string.
        #expect(clock.text(of: instant) == expected)
    }

    @Test("Where people have no word for their time it is told as a distance from UTC")
    func numbers() throws {
        func text(_ footer: String, _ name: String) throws -> String {
            let rules = try TimeZoneRules(tzif: Self.file(footer: footer))
            return ZoneClock(name: name, rules: rules).text(of: try Self.instant("2040-01-01T00:00:00Z"))
        }
        #expect(
            try text("<-03>3", "America/Sao_Paulo")
                == "Saturday, December 31, 2039 at 9:00 PM UTC-03:00 (America/Sao_Paulo)")
        #expect(
            try text("<+0545>-5:45", "Asia/Kathmandu")
                == "Sunday, January 1, 2040 at 5:45 AM UTC+05:45 (Asia/Kathmandu)")
        let instant = try Self.instant("2040-01-01T00:00:00Z")
        #expect(ZoneClock.utc.text(of: instant) == "Sunday, January 1, 2040 at 12:00 AM UTC")
    }
}
