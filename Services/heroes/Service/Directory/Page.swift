import HeroesDomain
import Postgres
import ServiceKit

/// A page of the directory, as it was found.
struct Page: Sendable {
    /// A hero at a place of the order.
    struct Entry: Sendable {
        var key: Int64
        var hero: Hero
        var user: PublicUser
    }

    var edition: Edition
    /// In order.
    var heroes: [Entry]
    var count: Int64
    var isExact = true
    /// Whether there are more in the direction that was read.
    var goesOn = false

    init(edition: Edition, heroes: [Entry], count: Int64, isExact: Bool = true) {
        self.edition = edition
        self.heroes = heroes
        self.count = count
        self.isExact = isExact
    }

    /// What a statement of ``PageQuery`` found.
    ///
    /// - Throws: `PostgresError` with code `decoding`.
    init(_ rows: PostgresRows, _ request: PageRequest, exactCount: Int64) throws {
        guard let first = rows.first else { throw PostgresError(.decoding, "no edition") }
        var columns = ColumnReader(first)
        edition = try Edition(&columns)
        let counted: Int64? = try columns.next()
        count = counted ?? edition.count(request.filter.discipline)
        isExact = request.filter.isCounted || count <= exactCount
        heroes = []
        for row in rows {
            var columns = ColumnReader(row)
            _ = try Edition(&columns)
            let _: Int64? = try columns.next()
            let key: Int64? =
                if request.ordering.key == .created {
                    try columns.next(Timestamp?.self)?.microseconds
                } else {
                    try columns.next(Int64?.self)
                }
            guard let key else { continue }
            heroes.append(Entry(key: key, hero: try Hero(&columns), user: try PublicUser(&columns)))
        }
    }
}

extension PageLoader {
    /// The page as it goes out.
    func answer(_ request: PageRequest, _ page: Page) -> DirectoryAnswer {
        var json = JSONWriter(capacity: 512 + page.heroes.count * 1024)
        json.object { json in
            json.field("count", page.count)
            if !page.isExact { json.field("count_exact", false) }
            json.field("next", next(request, page))
            json.field("previous", previous(request, page))
            json.array("results") { json in
                for entry in page.heroes {
                    json.object { entry.hero.write(.listed, into: &$0, user: entry.user) }
                }
            }
        }
        return DirectoryAnswer(json.buffer)
    }

    private func next(_ request: PageRequest, _ page: Page) -> String? {
        if case .cursor(let cursor) = request.place, cursor.direction == .before {
            // Whoever went back can go forth again; from nowhere, to the first page.
            return links.url(request, at: cursorBeside(page.heroes.last, .after, request, page))
        }
        return page.goesOn ? links.url(request, at: cursorBeside(page.heroes.last, .after, request, page)) : nil
    }

    private func previous(_ request: PageRequest, _ page: Page) -> String? {
        switch request.place {
        case .number(1): return nil
        case .cursor(let cursor) where cursor.direction == .before && !page.goesOn: return nil
        case .cursor(var cursor) where page.heroes.isEmpty:
            cursor.direction = .before
            return links.url(request, at: cursor)
        case .number, .cursor:
            return links.url(request, at: cursorBeside(page.heroes.first, .before, request, page))
        }
    }

    private func cursorBeside(
        _ entry: Page.Entry?, _ direction: Cursor.Direction, _ request: PageRequest, _ page: Page
    ) -> Cursor? {
        guard let entry else { return nil }
        var edition = page.edition.version
        if case .cursor(let cursor) = request.place, page.edition.remembers(cursor.edition) { edition = cursor.edition }
        return Cursor(
            ordering: request.ordering, direction: direction, key: entry.key, id: entry.hero.id,
            edition: request.ordering.key.isFixed ? 0 : edition)
    }
}
