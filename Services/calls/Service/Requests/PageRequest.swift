import ServiceKit

/// Which page of a list is asked for.
struct PageRequest: Sendable, Hashable {
    static let standardSize = 10
    static let sizes = 1...100

    enum Place: Sendable, Hashable {
        /// Counted from 1.
        case number(Int)
        case cursor(RequestCursor)
    }

    var filter = RequestFilter()
    var size = standardSize
    var place = Place.number(1)

    init() {}

    /// Reads the query of the list.
    ///
    /// - Throws: `Problem`: 400 for an unknown value of a filter or a size, 404 for what is no page.
    init(_ query: Query) throws(Problem) {
        var faults = Fields([:])
        filter = RequestFilter(query, noting: &faults)
        let sizes = Int64(Self.sizes.lowerBound)...Int64(Self.sizes.upperBound)
        let size = faults.noting { () throws(Problem) in try query.integer("page_size", sizes) }
        try faults.finish()
        if let size { self.size = Int(size) }
        if let text = query["cursor"] {
            guard let cursor = RequestCursor(text: text) else { throw .noSuchPage }
            place = .cursor(cursor)
        } else if let text = query["page"] {
            let isPlain = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            // Nobody has more pages than this, and sums with it can't overflow.
            guard isPlain, let number = Int(text), number > 0, number < 1 << 40 else { throw .noSuchPage }
            place = .number(number)
        }
    }

    /// Requests before a page that is asked for by number.
    var offset: Int {
        if case .number(let number) = place { (number - 1) * size } else { 0 }
    }
}

extension Problem {
    static let noSuchPage = Problem(.notFound, "There is no such page.")
}
