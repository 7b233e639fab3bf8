import AccountsDomain
import Foundation
import Logging
import TestKit
import Testing

@testable import AccountsService

@Suite("The clocks of this system's time zones")
struct ZoneClocksTests {
    @Test("Every zone says at any time what another implementation says, long past the tables of its file too")
    func oracle() async throws {
        let script = """
            import datetime, random, zoneinfo
            random.seed(1)
            for line in open("/usr/share/zoneinfo/tzdata.zi"):
                words = line.split()
                if words[0] not in "ZL": continue
                name = words[1] if words[0] == "Z" else words[2]
                zone = zoneinfo.ZoneInfo(name)
                times = [random.randrange(0, 4_200_000_000) for _ in range(12)]
                # What Python finds with the last rule before 1970 is its own choice.
                for year in (2026, 2037, 2038, 2044, 2099):
                    times += [random.randrange(0, 31_000_000) + int(datetime.datetime(year, 1, 1).timestamp()) for _ in range(4)]
                for seconds in times:
                    t = datetime.datetime.fromtimestamp(seconds, zone)
                    print(name, seconds, int(t.utcoffset().total_seconds()), t.tzname(), t.strftime("%Y-%m-%dT%H:%M:%S"))
            """
        let lines = try await run(["/usr/bin/env", "TZ=UTC", "python3", "-c", script]).split(separator: "\n")
        #expect(lines.count > 10_000)
        let clocks = ZoneClocks(try .system(), logger: Logger(label: "zones"))
        var wrong: [String] = []
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            let clock = await clocks.clock(of: TimeZoneName(stored: words[0]))
            let instant = Instant(microseconds: try #require(Int64(words[1])) * 1_000_000)
            let offset = clock.rules.offset(at: instant)
            let time = clock.rules.civilTime(at: instant)
            let text = String(
                format: "%04d-%02d-%02dT%02d:%02d:%02d", time.year, time.month, time.day, time.hour, time.minute,
                time.second)
            if clock.name != words[0] || "\(offset.seconds)" != words[2] || offset.abbreviation != words[3]
                || text != words[4]
            {
                wrong.append("\(line) / \(clock.name) \(offset) \(text)")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) of \(lines.count): \(wrong.prefix(5))")
    }

    @Test("An old name without a file of its own is found by its link; what can't be read is UTC, and says so")
    func links() async throws {
        let folder = try await temporaryFolder("zones")
        let america = folder.appendingPathComponent("America")
        try FileManager.default.createDirectory(at: america, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "/usr/share/zoneinfo/America/Chicago", toPath: america.path + "/Chicago")
        try Data("rubbish".utf8).write(to: america.appendingPathComponent("Denver"))
        let database = TimeZoneDatabase(
            zi: "Z America/Chicago -6 - CST\nZ America/Denver -7 - MST\nL America/Chicago US/Central\n")
        let clocks = ZoneClocks(database, folder: folder.path, logger: Logger(label: "zones"))
        let old = await clocks.clock(of: TimeZoneName(stored: "US/Central"))
        #expect(old.text(of: Instant(microseconds: 0)) == "Wednesday, December 31, 1969 at 6:00 PM CST (US/Central)")
        for name in ["America/Denver", "America/Boise", "../../../etc/passwd", ""] {
            #expect(await clocks.clock(of: TimeZoneName(stored: name)) == .utc)
        }
    }
}
