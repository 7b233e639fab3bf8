import HeroesDomain
import ServiceKit

extension PageRequest {
    /// Reads the query of the list.
    ///
    /// - Throws: `Problem`: 400 for an unknown value of a filter, an order or a size, 404 for what is no page.
    init(_ query: Query) throws(Problem) {
        self.init()
        filter = try Self.filter(query)
        if let text = query["ordering"] {
            guard let ordering = Ordering(text) else {
                let names = Ordering.Key.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("ordering", "This must be one of \(names), with - before it to reverse.")
            }
            self.ordering = ordering
        }
        let sizes = Int64(Self.sizes.lowerBound)...Int64(Self.sizes.upperBound)
        if let size = try query.integer("page_size", sizes) { self.size = Int(size) }
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

    private static func filter(_ query: Query) throws(Problem) -> DirectoryFilter {
        var filter = DirectoryFilter()
        if let text = query["discipline"] {
            guard let discipline = Discipline(rawValue: text) else {
                let names = Discipline.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("discipline", "This must be one of \(names).")
            }
            filter.discipline = discipline
        }
        filter.minimumRate = try query.integer("min_rate", Int64.min...Int64.max)
        filter.maximumRate = try query.integer("max_rate", Int64.min...Int64.max)
        // A search field left empty asks for nothing.
        if let text = query["search"], !text.isEmpty {
            guard text.unicodeScalars.count <= Search.maximumLength else {
                throw .invalid("search", "This must have at most \(Search.maximumLength) characters.")
            }
            filter.search = Search(text)
        }
        return filter
    }
}
