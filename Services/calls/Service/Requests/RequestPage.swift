import CallsDomain
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A page of a person's requests, newest first, with the count of all of them.
struct RequestPage: Sendable {
    var count: Int64
    var requests: [StoredRequest]
    var next: RequestCursor?
    var previous: RequestCursor?

    /// Page and count in one statement, and so of one moment.
    ///
    /// Each side of a person has an index in the order of the list, from which the page's ids and the count are taken
    /// without a look at the table: what a list costs depends on how many requests the person has, not on how many there
    /// are.
    static func select(of person: UUID, _ page: PageRequest, at now: Instant) -> SQL {
        let sides = sides(of: person, page.filter, at: now)
        let counts = sides.map { side -> SQL in "(SELECT count(*) FROM calls.requests WHERE \(side))" }
        let (condition, order) = place(page)
        // One more tells whether there is another page.
        let most = page.size + 1
        let finds = sides.map { side -> SQL in
            """
            (SELECT id FROM calls.requests WHERE \(side)\(condition) ORDER BY id \(order) LIMIT \(page.offset + most))
            """
        }
        return """
            WITH page AS MATERIALIZED (
                SELECT id FROM (\(.joined(finds, separator: " UNION ALL "))) found
                ORDER BY id \(order) LIMIT \(most) OFFSET \(page.offset)
            )
            SELECT total.count, \(RequestRows.columns)
            FROM (SELECT \(.joined(counts, separator: " + ")) AS count) total
            LEFT JOIN (page JOIN calls.requests r USING (id)) ON true \(RequestRows.joins)
            ORDER BY r.id DESC, s.number
            """
    }

    /// Nobody is on both sides of a request, so nothing is found twice.
    private static func sides(of person: UUID, _ filter: RequestFilter, at now: Instant) -> [SQL] {
        var more: SQL = ""
        if let status = filter.status { more.append(" AND status = \(status)") }
        if filter.isUpcoming { more.append(" AND agreed_time > \(now)") }
        switch filter.role {
        case .user: return ["user_id = \(person)\(more)"]
        case .hero: return ["hero_user_id = \(person)\(more)"]
        case nil: return ["user_id = \(person)\(more)", "hero_user_id = \(person)\(more)"]
        }
    }

    private static func place(_ page: PageRequest) -> (condition: SQL, order: SQL) {
        switch page.place {
        case .number: ("", "DESC")
        case .cursor(.olderThan(let id)): (" AND id < \(id)", "DESC")
        case .cursor(.newerThan(let id)): (" AND id > \(id)", "ASC")
        }
    }

    /// - Returns: nil for a page past the end.
    init?(_ rows: PostgresRows, _ page: PageRequest) throws {
        guard let first = rows.first else { throw PostgresError(.decoding, "no count") }
        count = try first.decode(column: 0)
        requests = try RequestRows.decode(rows, from: 1)
        let hasMore = requests.count > page.size
        if case .cursor(.newerThan(let id)) = page.place {
            // The one too many is the newest.
            if hasMore { requests.removeFirst() }
            next = .olderThan(requests.last?.id ?? id)
            previous = hasMore ? requests.first.map { .newerThan($0.id) } : nil
            // Whoever came from there may go back, unless what was there has left the list.
            if requests.isEmpty { next = count > 0 ? .olderThan(.max) : nil }
            return
        }
        if hasMore { requests.removeLast() }
        next = hasMore ? requests.last.map { .olderThan($0.id) } : nil
        switch page.place {
        case .number(1): previous = nil
        case .cursor(.olderThan(let id)):
            previous = id == .max ? nil : .newerThan(requests.first?.id ?? id)
        default:
            guard let first = requests.first else { return nil }
            previous = .newerThan(first.id)
        }
    }
}
