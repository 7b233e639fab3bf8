import HeroesDomain
import Postgres

/// Pages under filters that no index has in order: words in any order, rates in an order that isn't theirs.
///
/// What is frequent is met soon by going along the order, and takes long to gather; what is rare is the other way round.
/// Which it is, the next so many heroes of the order tell: statistics of the database do not know how many words have a
/// beginning in common.
extension PageLoader {
    func filtered(_ request: PageRequest, _ edition: Edition) async throws -> Page {
        var query = PageQuery(request)
        let total = edition.count(request.filter.discipline)
        if total <= limits.few { return try await run(query, .gathered) }

        if let statement = query.estimateOfWholeWords {
            query.isBeginningLeftToRows = try await estimate(statement) <= limits.rareWords
        }
        var sampled = query
        sampled.offset = 0
        let all = query.estimate
        async let estimated = estimate(all)
        let sample = try await run(sampled, .looked(limits.sample))
        let frequency = Frequency(
            sample, estimate: try await estimated, isEstimateGood: request.filter.search == nil, total: total,
            sample: limits.sample)
        var page: Page
        if query.offset > 0 {
            guard frequency.isWorthGoingAlong(for: query.offset + Int64(request.size)) else {
                return try await run(query, .gathered)
            }
            page = try await run(query, .along)
        } else if sample.isWhole(request, of: limits.sample) {
            page = sample
        } else {
            let reach = min(frequency.reach(for: request.size), limits.looked)
            let among = reach > limits.sample ? try await run(query, .among(reach)) : nil
            if let among, among.found > request.size {
                page = among
            } else if isBetterYearByYear(request, frequency) {
                page = try await run(query, .yearByYear)
            } else {
                return try await run(query, .gathered)
            }
        }
        let count = try await count(query, frequency, page.edition)
        page.count = count.number
        page.isExact = count.isExact
        return page
    }

    /// Many pass, but none that come soon: rates rise with the years.
    private func isBetterYearByYear(_ request: PageRequest, _ frequency: Frequency) -> Bool {
        request.filter.search == nil && request.ordering.key == .years && frequency.number > Int64(limits.looked)
    }

    /// How many pass the filter: exact up to a number, then an estimate. It takes longer than the page, and is the same
    /// for all pages of an edition.
    private func count(
        _ query: PageQuery, _ frequency: Frequency, _ edition: Edition
    ) async throws -> FilterCounts.Count {
        if let count = counts[query.request.filter, edition.version] { return count }
        let most = limits.exactCount + 1
        var number: Int64 = 0
        let newest = frequency.share > 0 ? Double(most) / frequency.share * 1.5 : .infinity
        // Rates are counted in their own index, where they lie side by side.
        if query.request.filter.search != nil, frequency.share >= 0.08,
            newest < Double(edition.count(query.request.filter.discipline))
        {
            number = try await select(query.count(most, among: Int(newest))).first?.decode(Int64.self) ?? 0
        }
        if number < most {
            number = try await select(query.count(most)).first?.decode(Int64.self) ?? 0
        }
        let isExact = number < most
        let count = FilterCounts.Count(
            number: isExact ? number : max(number, frequency.number), isExact: isExact)
        counts[query.request.filter, edition.version] = count
        return count
    }
}

/// How frequent what passes a filter is.
private struct Frequency {
    /// Of all heroes, 0 to 1.
    var share: Double
    /// How many pass, about.
    var number: Int64
    /// Of those next in the order.
    private var shareAhead: Double
    private var total: Int64

    /// - Parameter isEstimateGood: rates are well known to the database, words less so.
    init(_ sample: Page, estimate: Int64, isEstimateGood: Bool, total: Int64, sample size: Int) {
        self.total = total
        // Near the end of an order a sample is small and says little.
        let isFull = sample.looked >= size
        shareAhead = isFull ? Double(sample.found) / Double(sample.looked) : 0
        share = min(max(shareAhead, Double(estimate) / Double(max(total, 1))), 1)
        number = isEstimateGood ? min(estimate, total) : Int64(share * Double(total))
    }

    /// How many to look at along the order for a page; 0 when it is less work to gather all that pass.
    func reach(for size: Int) -> Int {
        // Twice as many as it takes on average. Where the sample had none, what the database thinks.
        let ahead = shareAhead > 0 ? shareAhead : share
        guard ahead > 0 else { return 0 }
        let entries = Double(size + 1) / ahead * 2
        return entries < share * Double(total) ? Int(entries) : 0
    }

    func isWorthGoingAlong(for places: Int64) -> Bool {
        share > 0 && Double(places) / share < 4 * share * Double(total)
    }
}

extension Page {
    /// Whether a sample has all that the page has: it is full, or there is no more in the order.
    fileprivate func isWhole(_ request: PageRequest, of sample: Int) -> Bool {
        found > request.size || looked < sample
    }
}
