import HeroesDomain
import ServiceKit

extension PageRequest {
    /// Reads the query of the list.
    ///
    /// - Throws: `Problem`: 400 for an unknown value of a filter, an order or a size, 404 for what is no page.
    init(_ query: Query) throws(Problem) {
        self.init()
        var faults = Fields([:])
        filter = Self.filter(query, &faults)
        if let text = query["ordering"] {
            if let ordering = Ordering(text) {
                self.ordering = ordering
            } else {
                let names = Ordering.Key.allCases.map(\.rawValue).joined(separator: ", ")
                faults.note("ordering", "This must be one of \(names), with - before it to reverse.")
            }
        }
        let sizes = Int64(Self.sizes.lowerBound)...Int64(Self.sizes.upperBound)
        let size = faults.noting { () throws(Problem) in try query.integer("page_size", sizes) }
        try faults.finish()
        if let size { self.size = Int(size) }
        if let text = query["cursor"] {
            guard let cursor = Cursor(text: text), cursor.ordering == ordering else { throw Self.noPage }
            place = .cursor(cursor)
        } else if let text = query["page"] {
            let isPlain = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            // No directory has more pages than this, and sums with it can't overflow.
            guard isPlain, let number = Int(text), number > 0, number < 1 << 40 else { throw Self.noPage }
            place = .number(number)
        }
    }

    private static let noPage = Problem(.notFound, "There is no such page.")

    private static func filter(_ query: Query, _ faults: inout Fields) -> DirectoryFilter {
        var filter = DirectoryFilter()
        if let text = query["discipline"] {
            filter.discipline = Discipline(rawValue: text)
            if filter.discipline == nil {
                let names = Discipline.allCases.map(\.rawValue).joined(separator: ", ")
                faults.note("discipline", "This must be one of \(names).")
            }
        }
        let all = Int64.min...Int64.max
        filter.minimumRate = faults.noting { () throws(Problem) in try query.integer("min_rate", all) }
        filter.maximumRate = faults.noting { () throws(Problem) in try query.integer("max_rate", all) }
        // A search field left empty asks for nothing.
        if let text = query["search"], !text.isEmpty {
            if text.unicodeScalars.count <= Search.maximumLength {
                filter.search = Search(text)
            } else {
                faults.note("search", "This must have at most \(Search.maximumLength) characters.")
            }
        }
        return filter
    }
}
