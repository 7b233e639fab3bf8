import HeroesDomain
import NIOCore
import Postgres
import ServiceKit

/// Makes pages of the directory.
///
/// There is no OFFSET over the table and no count over it: places are found along indexes from the cursor on, and the
/// counts of all and of each discipline stand in the edition. Where a filter needs more than one index has, what is rare
/// is gathered whole and put in order, and what is frequent is met soon when one goes along the order.
struct PageLoader: Sendable {
    /// Where one way takes over from another, in heroes.
    struct Limits: Sendable {
        /// Counts are exact up to here.
        var exactCount: Int64 = 10_000
        /// So many are gathered without asking what the planner thinks.
        var few: Int64 = 20_000
        /// So many are gathered when the planner thinks they are no more.
        var gathered: Int64 = 30_000
        /// So many are looked at along the order before they are gathered after all.
        var looked = 20_000
    }

    let postgres: PostgresClient
    let links: PageLinks
    let limits: Limits

    /// A page and the edition it is of.
    ///
    /// - Parameter edition: the present one, of a moment ago.
    func load(_ request: PageRequest, _ edition: Edition) async throws -> DirectoryCache.Made {
        if request.filter.isImpossible {
            let isThere = if case .number(let number) = request.place { number == 1 } else { true }
            let page = Page(edition: edition, heroes: [], count: 0, isExact: true)
            return .init(answer: isThere ? answer(request, page) : nil, version: edition.version)
        }
        let page =
            Self.isInOneIndex(request)
            ? try await along(request, edition) : try await filtered(request, edition)
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

    // MARK: Finding

    private func along(_ request: PageRequest, _ edition: Edition) async throws -> Page {
        var edition = edition
        for _ in 0..<3 {
            var query = PageQuery(request)
            var limit: Int?
            let total = edition.count(request.filter.discipline)
            if request.filter.isCounted, query.offset > total / 2 {
                // Nearer from the end, as long as the end is where it was.
                guard query.offset < total else { return Page(edition: edition, heroes: [], count: total) }
                let rest = total - query.offset
                query.isFromEnd = true
                query.offset = max(rest - Int64(request.size), 0)
                limit = min(request.size, Int(rest))
            }
            let count = request.filter.isCounted ? nil : cappedCount(query)
            var page = try await run(query, .along, count: count, limit: limit)
            guard limit != nil else {
                if !page.isExact { page.count = max(try await estimate(query), page.count) }
                return page
            }
            guard page.edition.count(request.filter.discipline) == total else {
                edition = page.edition
                continue
            }
            page.heroes.reverse()
            page.goesOn = query.offset > 0
            return page
        }
        // It changes all the time; the way from the start is the same whatever comes.
        return try await run(PageQuery(request), .along, count: nil)
    }

    private func cappedCount(_ query: PageQuery) -> SQL {
        "(\(query.cappedCount(Int(limits.exactCount) + 1, alongOrder: false)))"
    }

    private func filtered(_ request: PageRequest, _ edition: Edition) async throws -> Page {
        let query = PageQuery(request)
        let total = edition.count(request.filter.discipline)
        if total <= limits.few { return try await run(query, .gathered) }
        let estimate = try await estimate(query)
        if estimate <= limits.gathered { return try await run(query, .gathered) }
        // Where most match, ten thousand are met soon; else the index of the words has them together.
        let isFrequent = estimate > total / 2
        async let counted = postgres.read(query.cappedCount(Int(limits.exactCount) + 1, alongOrder: isFrequent))
        var page: Page
        if query.offset > 0 {
            page = try await run(query, .along)
        } else {
            page = try await run(query, .among(limits.looked))
            if !page.goesOn, page.heroes.count < request.size {
                // They are elsewhere in the order, or fewer than was thought.
                page = try await run(query, .gathered)
            }
        }
        let count = try await counted.first?.decode(Int64.self) ?? 0
        page.isExact = count <= limits.exactCount
        page.count = page.isExact ? count : max(estimate, count)
        return page
    }

    private func estimate(_ query: PageQuery) async throws -> Int64 {
        let rows = try await postgres.read(query.estimate)
        guard let text = try rows.first?.decode(String.self),
            case .array(let plans) = try JSONParser.value(ByteBuffer(string: text)),
            case .object(let top)? = plans.first, case .object(let plan)? = top["Plan"],
            case .integer(let count)? = plan["Plan Rows"]
        else { throw PostgresError(.decoding, "no plan") }
        return count
    }

    /// Runs a statement, and once more with the places that heroes have left if the walk began before they did.
    private func run(
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
        let rows = try await postgres.read(query.statement(way, count: count, limit: limit))
        let size = limit ?? query.request.size
        var page = try Page(rows, query.request, exactCount: limits.exactCount)
        if page.heroes.count > size {
            page.heroes.removeLast()
            page.goesOn = true
        }
        if query.isFromEnd, limit == nil { page.heroes.reverse() }
        return page
    }
}

extension Edition {
    /// Whether it is known where heroes were in an edition.
    func remembers(_ edition: Int64) -> Bool { edition >= pruned && edition <= version }
}
