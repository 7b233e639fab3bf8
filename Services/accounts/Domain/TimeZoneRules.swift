/// What the clocks of one time zone show, ever: the contents of a TZif file (RFC 9636).
public struct TimeZoneRules: Sendable, Hashable {
    /// Seconds since the epoch at which clocks change, ascending.
    private var times: [Int64]
    /// What holds from each change on: its place in ``offsets``.
    private var indices: [UInt8]
    private var offsets: [ZoneOffset]
    /// What holds after the last change.
    private var rest: PosixZone?

    /// Coordinated Universal Time.
    public static let utc = TimeZoneRules(times: [], indices: [], offsets: [.utc], rest: nil)

    private init(times: [Int64], indices: [UInt8], offsets: [ZoneOffset], rest: PosixZone?) {
        self.times = times
        self.indices = indices
        self.offsets = offsets
        self.rest = rest
    }

    /// What holds at an instant.
    public func offset(at instant: Instant) -> ZoneOffset {
        let seconds = instant.seconds
        // The first change that is later.
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        if low == times.count, let rest { return rest.offset(at: seconds) }
        // Before the first change the first kind of time holds (RFC 9636, section 3.2).
        return offsets[low == 0 ? 0 : Int(indices[low - 1])]
    }

    /// What a clock in the zone shows at an instant.
    public func civilTime(at instant: Instant) -> CivilTime {
        CivilTime(seconds: instant.seconds + Int64(offset(at: instant).seconds))
    }
}

extension TimeZoneRules {
    /// - Parameter bytes: a whole TZif file.
    /// - Throws: `InvalidValue` when it isn't one, or one that counts leap seconds, which Unix time does not.
    public init(tzif bytes: [UInt8]) throws(InvalidValue) {
        guard let rules = Self.read(bytes) else { throw InvalidValue("This is no TZif file.") }
        self = rules
    }

    private static func read(_ bytes: [UInt8]) -> TimeZoneRules? {
        var reader = Reader(bytes: bytes)
        guard let first = reader.header() else { return nil }
        // Version 1 has times of 32 bits and no rules for the rest; the same file goes on with more from version 2 on.
        guard first.version >= UInt8(ascii: "2") else { return reader.data(first, timeSize: 4) }
        guard reader.skip(first.length(timeSize: 4)), let second = reader.header(),
            var rules = reader.data(second, timeSize: 8), let footer = reader.footer()
        else { return nil }
        if !footer.isEmpty {
            guard let rest = PosixZone(footer) else { return nil }
            rules.rest = rest
        }
        return rules
    }

    private struct Header {
        var version: UInt8
        var utIndicators: Int
        var standardIndicators: Int
        var leapSeconds: Int
        var changes: Int
        var offsets: Int
        var characters: Int

        func length(timeSize: Int) -> Int {
            changes * (timeSize + 1) + offsets * 6 + characters + leapSeconds * (timeSize + 4) + standardIndicators
                + utIndicators
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        mutating func skip(_ count: Int) -> Bool {
            guard count <= bytes.count - position else { return false }
            position += count
            return true
        }

        /// A signed big-endian number; its bytes are known to be there.
        private mutating func number(_ size: Int) -> Int64 {
            var value: Int64 = bytes[position] & 0x80 == 0 ? 0 : -1
            for byte in bytes[position..<(position + size)] { value = value << 8 | Int64(byte) }
            position += size
            return value
        }

        /// RFC 9636, section 3.1.
        mutating func header() -> Header? {
            let start = position
            guard skip(44), bytes[start..<(start + 4)].elementsEqual("TZif".utf8) else { return nil }
            let version = bytes[start + 4]
            position = start + 20
            let counts = (0..<6).map { _ in Int(number(4)) }
            let header = Header(
                version: version, utIndicators: counts[0], standardIndicators: counts[1], leapSeconds: counts[2],
                changes: counts[3], offsets: counts[4], characters: counts[5])
            guard counts.allSatisfy({ (0...100_000).contains($0) }), (1...256).contains(header.offsets) else {
                return nil
            }
            return header
        }

        /// RFC 9636, section 3.2.
        mutating func data(_ header: Header, timeSize: Int) -> TimeZoneRules? {
            let length = header.length(timeSize: timeSize)
            guard header.leapSeconds == 0, length <= bytes.count - position else { return nil }
            let end = position + length
            let times = (0..<header.changes).map { _ in number(timeSize) }
            let indices = Array(bytes[position..<(position + header.changes)])
            position += header.changes
            let kinds = (0..<header.offsets).map { _ in
                (Int(number(4)), number(1) != 0, Int(UInt8(truncatingIfNeeded: number(1))))
            }
            let names = bytes[position..<(position + header.characters)]
            guard zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }),
                indices.allSatisfy({ Int($0) < header.offsets }), kinds.allSatisfy({ $0.2 < header.characters })
            else { return nil }
            let offsets = kinds.map { seconds, isDaylight, name in
                ZoneOffset(
                    seconds: seconds, isDaylight: isDaylight,
                    abbreviation: String(decoding: names.dropFirst(name).prefix { $0 != 0 }, as: UTF8.self))
            }
            position = end
            return TimeZoneRules(times: times, indices: indices, offsets: offsets, rest: nil)
        }

        /// RFC 9636, section 3.3: a TZ string between two line feeds, perhaps an empty one.
        mutating func footer() -> String? {
            guard position < bytes.count, bytes[position] == 0x0A else { return nil }
            let rest = bytes[(position + 1)...]
            guard let end = rest.firstIndex(of: 0x0A) else { return nil }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
    }
}
