import Foundation
import Testing

@testable import AccountsDomain

@Suite("Time zone names")
struct TimeZoneDatabaseTests {
    @Test("Zones and links of a tzdata.zi are names, its rules are not")
    func parsing() throws {
        let database = TimeZoneDatabase(
            zi: """
                # version 2025b
                R d 1916 o - Jun 14 23s 1 S
                Z Africa/Algiers 0:12:12 - LMT 1891 Mar 16
                0:9:21 - PMT 1911 Mar 11
                L America/Chicago US/Central
                """)
        #expect(database.count == 2)
        #expect(try database.zone(named: "Africa/Algiers").text == "Africa/Algiers")
        #expect(try database.zone(named: "US/Central").text == "US/Central")
        #expect(database.names(of: TimeZoneName(stored: "US/Central")) == ["US/Central", "America/Chicago"])
        #expect(database.names(of: TimeZoneName(stored: "Africa/Algiers")) == ["Africa/Algiers"])
        #expect(database.names(of: TimeZoneName(stored: "../etc/passwd")) == [])
        for bad in [
            "", "us/central", "US/Central ", "R", "d", "../etc/passwd", "/etc/passwd", "US/../US/Central",
            "US/Central\0",
        ] {
            #expect(throws: InvalidValue.self) { try database.zone(named: bad) }
        }
    }
}
