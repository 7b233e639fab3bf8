import HeroesDomain
import NIOCore
import Postgres
import ServiceKit

/// Makes pages of the directory.
///
/// There is no OFFSET over the table and no count over it: places are found along indexes from the cursor on, and the
/// counts of all and of each discipline stand in the edition.
struct PageLoader: Sendable {
    /// Where one way takes over from another, in heroes.
    struct Limits: Sendable {
        /// Counts are exact up to here.
        var exactCount = 10_000
        /// A directory of so many is looked through without thinking.
        var few: Int64 = 5000
        /// So many are looked at to learn how many pass a filter.
        var sample = 1500
        /// Whole words that so many have are rare.
        var rareWords: Int64 = 5000
        /// The most that are looked at along an order before what passes is gathered instead.
        var looked = 40_000
    }

    /// Runs one statement.
    let select: @Sendable (SQL) async throws -> PostgresRows
    let links: PageLinks
    let limits: Limits
    let counts = FilterCounts()

    /// A page and the edition it is of.
    ///
    /// - Parameter edition: the present one, of a moment ago.
    func load(_ request: PageRequest, _ edition: Edition) async throws -> DirectoryCache.Made {
        let page: Page
        if request.filter.isImpossible {
            page = Page(edition: edition, heroes: [], count: 0)
        } else if Self.isInOneIndex(request) {
            page = try await along(request, edition)
        } else {
            page = try await filtered(request, edition)
        }
        return .init(answer: isPastTheEnd(request, page) ? nil : answer(request, page), version: page.edition.version)
    }

    /// Whether one index has all that is asked for, in order.
    private static func isInOneIndex(_ request: PageRequest) -> Bool {
        request.filter.search == nil && (!request.filter.hasRates || request.ordering.key == .rate)
    }

    private func isPastTheEnd(_ request: PageRequest, _ page: Page) -> Bool {
        guard case .number(let number) = request.place else { return false }
        return number > 1 && page.heroes.isEmpty
    }

    // MARK: What one index has

    private func along(_ request: PageRequest, _ edition: Edition) async throws -> Page {
        let query = PageQuery(request)
        if request.filter.isCounted {
            if query.offset > edition.count(request.filter.discipline) / 2 {
                return try await fromEnd(query, edition)
            }
            return try await run(query, .along)
        }
        var page = try await run(query, .along, count: "(\(query.count(limits.exactCount + 1)))")
        page.isExact = page.count <= limits.exactCount
        if !page.isExact { page.count = max(try await estimate(query.estimate), page.count) }
        return page
    }

    /// A page that is nearer from the end, as long as the end stays where it was.
    private func fromEnd(_ query: PageQuery, _ edition: Edition) async throws -> Page {
        var edition = edition
        for _ in 0..<3 {
            let total = edition.count(query.request.filter.discipline)
            let rest = total - query.offset
            guard rest > 0 else { return Page(edition: edition, heroes: [], count: total) }
            var reversed = query
            reversed.isFromEnd = true
            reversed.offset = max(rest - Int64(query.request.size), 0)
            let limit = min(query.request.size, Int(clamping: rest))
            var page = try await run(reversed, .along, limit: limit)
            if page.edition.count(query.request.filter.discipline) == total {
                page.goesOn = reversed.offset > 0
                return page
            }
            edition = page.edition
        }
        // It changes all the time; the way from the start is the same whatever comes.
        return try await run(query, .along)
    }

    // MARK: Running

    /// How many rows the planner thinks there are.
    func estimate(_ statement: SQL) async throws -> Int64 {
        let rows = try await select(statement)
        guard let text = try rows.first?.decode(String.self),
            case .array(let plans) = try JSONParser.value(ByteBuffer(string: text)),
            case .object(let top)? = plans.first, case .object(let plan)? = top["Plan"],
            case .integer(let count)? = plan["Plan Rows"]
        else { throw PostgresError(.decoding, "no plan") }
        return count
    }

    /// Runs a statement, and once more with the places that heroes have left if the walk began before they did.
    func run(
        _ query: PageQuery, _ way: PageQuery.Way, count: SQL? = nil, limit: Int? = nil
    ) async throws -> Page {
        var present = query
        present.edition = nil
        let page = try await read(present, way, count, limit)
        guard let began = query.edition, page.edition.remembers(began), began < page.edition.moved else {
            return page
        }
        return try await read(query, way, count, limit)
    }

    private func read(
        _ query: PageQuery, _ way: PageQuery.Way, _ count: SQL?, _ limit: Int?
    ) async throws -> Page {
        let rows = try await select(query.statement(way, count: count, limit: limit))
        var page = try Page(rows, query.request)
        if page.heroes.count > query.request.size {
            page.heroes.removeLast()
            page.goesOn = true
        }
        if query.isFromEnd { page.heroes.reverse() }
        return page
    }
}

extension Edition {
    /// Whether it is known where heroes were in an edition.
    func remembers(_ edition: Int64) -> Bool { edition >= pruned && edition <= version }
}
