import AccountsDomain

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension TimeZoneDatabase {
    /// The system has no time zones: the package tzdata is missing.
    struct Missing: Error, CustomStringConvertible {
        var description: String { "the system has no time zone database: install tzdata" }
    }

    /// The database of this system: its `tzdata.zi`, or where a system has none, the names of its compiled zones.
    ///
    /// - Parameter folder: where both are.
    /// - Throws: ``Missing``.
    static func system(folder: String = "/usr/share/zoneinfo") throws -> TimeZoneDatabase {
        if let data = FileManager.default.contents(atPath: "\(folder)/tzdata.zi") {
            let database = TimeZoneDatabase(zi: String(decoding: data, as: UTF8.self))
            if database.count > 0 { return database }
        }
        let names = compiledZones(folder, below: "")
        guard !names.isEmpty else { throw Missing() }
        return TimeZoneDatabase(names: names)
    }

    /// Files that begin as RFC 9636 says. Folders with the same zones under other rules are left out.
    private static func compiledZones(_ folder: String, below prefix: String) -> [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return entries.flatMap { entry -> [String] in
            guard !["posix", "right", "localtime", "posixrules"].contains(entry) else { return [] }
            let path = "\(folder)/\(entry)"
            var isFolder = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return [] }
            if isFolder { return compiledZones(path, below: "\(prefix)\(entry)/") }
            let magic = FileManager.default.contents(atPath: path)?.prefix(4)
            return magic.map { Array($0) } == Array("TZif".utf8) ? [prefix + entry] : []
        }
    }
}
