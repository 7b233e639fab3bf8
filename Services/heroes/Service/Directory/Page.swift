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

    /// Entries of the index that were looked at, and how many of them passed the filter.
    var looked: Int64 = 0
    var found: Int64 = 0

    init(edition: Edition, heroes: [Entry], count: Int64) {
        self.edition = edition
        self.heroes = heroes
        self.count = count
    }

    /// What a statement of ``PageQuery`` found.
    ///
    /// - Throws: `PostgresError` with code `decoding`.
    init(_ rows: PostgresRows, _ request: PageRequest) throws {
        guard let first = rows.first else { throw PostgresError(.decoding, "no edition") }
        var columns = ColumnReader(first)
        edition = try Edition(&columns)
        count = try columns.next(Int64?.self) ?? edition.count(request.filter.discipline)
        looked = try columns.next(Int64?.self) ?? 0
        found = try columns.next(Int64?.self) ?? 0
        heroes = []
        for row in rows {
            if let entry = try Entry(row, from: columns.column, request.ordering.key) { heroes.append(entry) }
        }
    }
}

extension Page.Entry {
    /// Nil where a page without heroes has its only row.
    fileprivate init?(_ row: PostgresRow, from column: Int, _ key: Ordering.Key) throws {
        var columns = ColumnReader(row, from: column)
        let value: Int64? =
            if key == .created {
                try columns.next(Timestamp?.self)?.microseconds
            } else {
                try columns.next(Int64?.self)
            }
        guard let value else { return nil }
        self.init(key: value, hero: try Hero(&columns), user: try PublicUser(&columns))
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
