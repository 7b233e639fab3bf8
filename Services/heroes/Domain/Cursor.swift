/// A place between two heroes in an order: where the next page begins, or the previous one ends.
///
/// It names what is beside it and not how much was before, so that heroes who come and go move nobody across it.
public struct Cursor: Sendable, Hashable {
    public enum Direction: UInt8, Sendable {
        /// The page comes after the cursor.
        case after = 0
        /// The page comes before the cursor.
        case before = 1
    }

    public var ordering: Ordering
    public var direction: Direction
    /// What the order goes by, of the hero beside the cursor: microseconds since the Unix epoch, cents or years.
    public var key: Int64
    /// That hero's id.
    public var id: Int64
    /// The edition of the directory that the first page was of. Heroes who have changed places since then are met where
    /// they were in it. 0 where places are for good.
    public var edition: Int64

    public init(ordering: Ordering, direction: Direction, key: Int64, id: Int64, edition: Int64 = 0) {
        self.ordering = ordering
        self.direction = direction
        self.key = key
        self.id = id
        self.edition = edition
    }

    private static let version: UInt8 = 1
    private static let length = 27

    /// The cursor in bytes. They are not secret, and not proof of anything either.
    public var bytes: [UInt8] {
        var bytes = [Self.version, direction.rawValue, ordering.code]
        for number in [key, id, edition] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        return bytes
    }

    /// A cursor that ``bytes`` wrote, or nil.
    public init?(bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.length, bytes[0] == Self.version, let direction = Direction(rawValue: bytes[1]),
            let ordering = Ordering(code: bytes[2])
        else { return nil }
        func number(_ start: Int) -> Int64 {
            Int64(bitPattern: bytes[start..<(start + 8)].reduce(0) { $0 << 8 | UInt64($1) })
        }
        self.init(ordering: ordering, direction: direction, key: number(3), id: number(11), edition: number(19))
    }
}

extension Ordering {
    fileprivate var code: UInt8 {
        let number: UInt8 =
            switch key {
            case .created: 0
            case .rate: 1
            case .years: 2
            }
        return number << 1 | (isDescending ? 1 : 0)
    }

    fileprivate init?(code: UInt8) {
        switch code >> 1 {
        case 0: self.init(.created, isDescending: code & 1 == 1)
        case 1: self.init(.rate, isDescending: code & 1 == 1)
        case 2: self.init(.years, isDescending: code & 1 == 1)
        default: return nil
        }
    }
}
