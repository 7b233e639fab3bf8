import AccountsDomain
import Logging
import NIOPosix
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The clocks of all time zones, each read from the system's files when somebody's is first needed.
final class ZoneClocks: Sendable {
    private let database: TimeZoneDatabase
    private let folder: String
    private let logger: Logger
    /// Some hundred zones at most: those of the database.
    private let known = Mutex<[TimeZoneName: ZoneClock]>([:])

    /// - Parameter folder: where the compiled zones are (tzfile(5)).
    init(_ database: TimeZoneDatabase, folder: String = "/usr/share/zoneinfo", logger: Logger) {
        self.database = database
        self.folder = folder
        self.logger = logger
    }

    /// The clock of a zone; UTC's, and a line in the log, when the system has none.
    func clock(of zone: TimeZoneName) async -> ZoneClock {
        if let clock = known.withLock({ $0[zone] }) { return clock }
        guard let rules = await rules(of: zone) else {
            logger.error("a time zone can't be read", metadata: ["zone": "\(zone.text)"])
            return .utc
        }
        let clock = ZoneClock(name: zone.text, rules: rules)
        known.withLock { $0[zone] = clock }
        return clock
    }

    private func rules(of zone: TimeZoneName) async -> TimeZoneRules? {
        let paths = database.names(of: zone).map { "\(folder)/\($0)" }
        return try? await NIOThreadPool.singleton.runIfActive {
            for path in paths {
                guard let bytes = FileManager.default.contents(atPath: path) else { continue }
                return try TimeZoneRules(tzif: Array(bytes))
            }
            return nil
        }
    }
}
