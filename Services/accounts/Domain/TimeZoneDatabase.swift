/// The names of the time zones that the system knows.
///
/// A client's text is only ever looked up in this set; it never becomes a path.
public struct TimeZoneDatabase: Sendable {
    private let names: Set<String>
    /// The names that are another name for a zone, with the zone's own.
    private let links: [String: String]

    /// - Parameter names: each name that counts, links among them.
    public init(names: some Sequence<String>) {
        self.names = Set(names)
        self.links = [:]
    }

    /// The names in the text of a `tzdata.zi` (see zic(8)): its zones (`Z NAME …`) and its links (`L TARGET NAME`).
    public init(zi text: String) {
        var names: Set<String> = []
        var links: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3)
            switch words.first {
            case "Z" where words.count >= 2: names.insert(String(words[1]))
            case "L" where words.count >= 3:
                names.insert(String(words[2]))
                links[String(words[2])] = String(words[1])
            default: continue
            }
        }
        self.names = names
        self.links = links
    }

    /// How many names there are.
    public var count: Int { names.count }

    /// The names under which a zone's rules may be found, best first; none for what is not in the database. Systems list
    /// old names as links without keeping a file for each.
    public func names(of zone: TimeZoneName) -> [String] {
        guard names.contains(zone.text) else { return [] }
        return [zone.text] + (links[zone.text].map { [$0] } ?? [])
    }

    /// - Throws: `InvalidValue` if the database has no zone or link of exactly this name.
    public func zone(named name: String) throws(InvalidValue) -> TimeZoneName {
        guard names.contains(name) else { throw InvalidValue("Enter a time zone of the IANA database.") }
        return TimeZoneName(stored: name)
    }
}

/// The name of a time zone of the IANA database, such as `America/Chicago`.
public struct TimeZoneName: Sendable, Hashable {
    /// Where a user is who didn't say.
    public static let standard = TimeZoneName(stored: "America/Chicago")

    /// The name.
    public let text: String

    /// A name that was in the database when it was stored.
    public init(stored: String) {
        self.text = stored
    }
}
