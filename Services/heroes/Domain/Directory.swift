/// An order of the directory. Heroes that are alike in it are in the order of their ids, in the same direction.
public struct Ordering: Sendable, Hashable {
    public enum Key: String, Sendable, Hashable, CaseIterable {
        case created
        case rate = "rate_in_cents"
        case years = "years_of_exp"

        /// Whether a hero keeps its place in it for good.
        public var isFixed: Bool { self == .created }
    }

    public var key: Key
    /// The greatest first.
    public var isDescending: Bool

    public init(_ key: Key, isDescending: Bool) {
        self.key = key
        self.isDescending = isDescending
    }

    /// As a client writes it: `created`, `-rate_in_cents` …
    public init?(_ text: String) {
        let isDescending = text.utf8.first == UInt8(ascii: "-")
        guard let key = Key(rawValue: isDescending ? String(text.dropFirst()) : text) else { return nil }
        self.init(key, isDescending: isDescending)
    }

    /// Newest first.
    public static let standard = Ordering(.created, isDescending: true)

    /// As a client writes it.
    public var text: String { (isDescending ? "-" : "") + key.rawValue }
}

/// What a page of the directory is to show.
public struct DirectoryFilter: Sendable, Hashable {
    public var discipline: Discipline?
    /// Cents for a minute, both ends included.
    public var minimumRate: Int64?
    public var maximumRate: Int64?
    public var search: Search?

    public init(
        discipline: Discipline? = nil, minimumRate: Int64? = nil, maximumRate: Int64? = nil, search: Search? = nil
    ) {
        self.discipline = discipline
        self.minimumRate = minimumRate
        self.maximumRate = maximumRate
        self.search = search
    }

    public var isEmpty: Bool { discipline == nil && !hasRates && search == nil }
    /// Whether it says anything of rates.
    public var hasRates: Bool { minimumRate != nil || maximumRate != nil }
    /// Whether it is no more than a discipline, whose heroes are counted all the time.
    public var isCounted: Bool { !hasRates && search == nil }

    /// Whether nobody can pass it, whatever is in the directory.
    public var isImpossible: Bool {
        if search?.isEmpty == true { return true }
        return (minimumRate ?? .min) > min(maximumRate ?? .max, HeroDetails.rate.upperBound)
            || (maximumRate ?? .max) < HeroDetails.rate.lowerBound
    }

    /// The rates that are possible among those asked for.
    public var rates: ClosedRange<Int64> {
        let low = max(minimumRate ?? 0, HeroDetails.rate.lowerBound)
        return low...max(low, min(maximumRate ?? .max, HeroDetails.rate.upperBound))
    }
}

/// One page of the directory, as somebody asks for it.
public struct PageRequest: Sendable, Hashable {
    /// The number of heroes on a page.
    public static let sizes = 1...100
    public static let standardSize = 10

    public enum Place: Sendable, Hashable {
        /// Counted from 1.
        case number(Int)
        case cursor(Cursor)
    }

    public var filter: DirectoryFilter
    public var ordering: Ordering
    public var size: Int
    public var place: Place

    public init(
        filter: DirectoryFilter = DirectoryFilter(), ordering: Ordering = .standard, size: Int = standardSize,
        place: Place = .number(1)
    ) {
        self.filter = filter
        self.ordering = ordering
        self.size = size
        self.place = place
    }
}
