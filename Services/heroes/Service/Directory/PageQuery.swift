import HeroesDomain
import Postgres
import ServiceKit

/// The statements that find a page. Which heroes are on it and where is found from indexes alone where that can be, and
/// only then are the few rows read.
struct PageQuery: Sendable {
    /// How the places of a page are found.
    enum Way: Sendable, Hashable {
        /// Along the index of the order until the page is full, leaving out what does not pass the filter.
        case along
        /// The same, but no further than so many entries of the index.
        case among(Int)
        /// So many entries of the index are all looked at, and those that pass are counted.
        case looked(Int)
        /// Along the index of years, year by year, leaving out years in which nobody has such a rate.
        case yearByYear
        /// All that pass the filter are gathered, then put in order. It counts as well.
        case gathered
    }

    let request: PageRequest
    /// Places counted from the start, or from the end.
    var offset: Int64 = 0
    var isFromEnd = false
    /// The edition in which heroes are met where they were; nil for the present one.
    var edition: Int64?
    /// The index of words finds those with the whole words, and only of these it is asked whether they have one with the
    /// beginning: good where the whole words are rare, since an index has to gather everybody with any word that begins so.
    var isBeginningLeftToRows = false

    init(_ request: PageRequest) {
        self.request = request
        switch request.place {
        case .number(let number): offset = Int64(number - 1) * Int64(request.size)
        case .cursor(let cursor):
            isFromEnd = cursor.direction == .before
            if !request.ordering.key.isFixed { edition = cursor.edition }
        }
    }

    /// The columns are those of the edition; how many pass the filter (NULL unless gathered or asked for); how many
    /// entries were looked at and how many of them are places of the page or come after it (NULL unless looked at); then
    /// a place's key, a hero and a user, all NULL when the page is empty. One row more than the page has says that it
    /// goes on.
    ///
    /// - Parameters:
    ///   - count: an expression that counts what passes the filter.
    ///   - limit: the greatest number of rows; one more than the page has when nil.
    func statement(_ way: Way, count: SQL? = nil, limit: Int? = nil) -> SQL {
        let limit = SQL(unsafeRaw: String(limit ?? request.size + 1))
        var with: SQL = ""
        var (count, looked, found): (SQL, SQL, SQL) = (count ?? "NULL::bigint", "NULL::bigint", "NULL::bigint")
        let places: SQL
        switch way {
        case .along:
            places = """
                SELECT h.\(key) AS key, h.id FROM heroes.heroes h
                WHERE \(indexed) \(filter) \(after("h.\(key)", "h.id")) \(notElsewhere)
                \(order("h.\(key)", "h.id")) LIMIT \(limit) \(skip)
                """
        case .among(let most):
            with = """
                WITH there AS MATERIALIZED (
                    SELECT h.key, h.id FROM (\(entries(most))) h WHERE true \(filter) \(notElsewhere) LIMIT \(limit)
                )
                """
            found = "(SELECT count(*) FROM there)"
            places = "SELECT key, id FROM there"
        case .looked(let most):
            with = """
                WITH there AS MATERIALIZED (
                    SELECT h.key, h.id, (true \(filter) \(notElsewhere)) AS passes FROM (\(entries(most))) h
                )
                """
            looked = "(SELECT count(*) FROM there)"
            found = "(SELECT count(*) FROM there WHERE passes)"
            places = "SELECT key, id FROM there WHERE passes \(order("key", "id")) LIMIT \(limit)"
        case .yearByYear:
            places = """
                SELECT h.key, h.id FROM generate_series(0, \(unsafeRaw: String(HeroDetails.years.upperBound))) y (year)
                CROSS JOIN LATERAL (
                    SELECT h.years_of_exp AS key, h.id FROM heroes.heroes h
                    WHERE \(indexed) AND h.years_of_exp = y.year \(filter) \(after("h.years_of_exp", "h.id"))
                        \(notElsewhere)
                    \(order("h.years_of_exp", "h.id")) LIMIT \(limit)
                ) h
                WHERE EXISTS (
                    SELECT FROM heroes.heroes h WHERE h.state = 'accepted' AND h.years_of_exp = y.year \(rates)
                )
                \(order("h.key", "h.id")) LIMIT \(limit) \(skip)
                """
        case .gathered:
            with = """
                WITH matching AS MATERIALIZED (
                    SELECT h.\(key) AS key, h.id FROM heroes.heroes h WHERE h.state = 'accepted' \(whole)
                )
                """
            count = "(SELECT count(*) FROM matching)"
            places = """
                SELECT h.key, h.id FROM matching h WHERE true \(after("h.key", "h.id")) \(notElsewhere)
                \(order("h.key", "h.id")) LIMIT \(limit) \(skip)
                """
        }
        return """
            \(with)
            SELECT \(Edition.columns), \(count), \(looked), \(found), p.key, \(Hero.columns), \(PublicUser.columns)
            FROM heroes.edition e LEFT JOIN (
                (\(withFormer(places))) p JOIN heroes.heroes h ON h.id = p.id JOIN heroes.users u ON u.id = h.user_id
            ) ON true WHERE e.only_row \(order("p.key", "p.id"))
            """
    }

    /// How many pass the filter, but no more than are worth counting: from the index that has them together.
    func count(_ most: Int) -> SQL {
        """
        SELECT count(*) FROM (
            SELECT FROM heroes.heroes h WHERE h.state = 'accepted' \(whole) LIMIT \(unsafeRaw: String(most))
        ) c
        """
    }

    /// The same among so many of the newest: where most pass, that many are met soon.
    func count(_ most: Int, among newest: Int) -> SQL {
        """
        SELECT count(*) FROM (
            SELECT FROM (
                SELECT h.rate_in_cents, h.words FROM heroes.heroes h WHERE \(indexed)
                ORDER BY h.created DESC, h.id DESC LIMIT \(unsafeRaw: String(newest))
            ) h WHERE true \(filter) LIMIT \(unsafeRaw: String(most))
        ) c
        """
    }

    /// Makes the planner say how many it thinks have the whole words; nil where it makes no difference.
    var estimateOfWholeWords: SQL? {
        guard let search = request.filter.search, !search.exact.isEmpty, search.beginning != nil else { return nil }
        let words = search.exactQuery(discipline: nil)
        return """
            EXPLAIN (FORMAT JSON) SELECT FROM heroes.heroes h
            WHERE h.state = 'accepted' AND h.words @@ \(words)::text::tsquery
            """
    }

    /// Makes the planner say how many it thinks pass the filter.
    var estimate: SQL {
        "EXPLAIN (FORMAT JSON) SELECT FROM heroes.heroes h WHERE h.state = 'accepted' \(whole)"
    }

    // MARK: Parts

    private var key: SQL { SQL(unsafeRaw: request.ordering.key.rawValue) }

    /// Whether the index is read backwards.
    private var isDescending: Bool { request.ordering.isDescending != isFromEnd }

    private func order(_ key: SQL, _ id: SQL) -> SQL {
        isDescending ? "ORDER BY \(key) DESC, \(id) DESC" : "ORDER BY \(key), \(id)"
    }

    private func after(_ key: SQL, _ id: SQL) -> SQL {
        guard case .cursor(let cursor) = request.place else { return "" }
        let value: SQL = cursor.ordering.key == .created ? "\(Timestamp(microseconds: cursor.key))" : "\(cursor.key)"
        return isDescending
            ? "AND (\(key), \(id)) < (\(value), \(cursor.id))" : "AND (\(key), \(id)) > (\(value), \(cursor.id))"
    }

    private var skip: SQL { offset == 0 ? "" : "OFFSET \(offset)" }

    /// The next entries of the index, in order.
    private func entries(_ most: Int) -> SQL {
        // Words would have to be read from the table.
        let words: SQL = request.filter.search == nil ? "" : ", h.words"
        return """
            SELECT h.\(key) AS key, h.id, h.rate_in_cents\(words) FROM heroes.heroes h
            WHERE \(indexed) \(after("h.\(key)", "h.id")) \(order("h.\(key)", "h.id")) LIMIT \(unsafeRaw: String(most))
            """
    }

    /// What the index of an order has for its own: the discipline.
    private var indexed: SQL {
        guard let discipline = request.filter.discipline else { return "h.state = 'accepted'" }
        return "h.state = 'accepted' AND h.discipline = \(discipline.rawValue)"
    }

    /// What it does not.
    private var filter: SQL { "\(rates) \(words(discipline: nil))" }

    /// Both. With a search the discipline is a word like others, so that one index has the answer.
    private var whole: SQL {
        if request.filter.search != nil { return "\(rates) \(words(discipline: request.filter.discipline))" }
        guard let discipline = request.filter.discipline else { return rates }
        return "AND h.discipline = \(discipline.rawValue) \(rates)"
    }

    private var rates: SQL {
        guard request.filter.hasRates else { return "" }
        let rates = request.filter.rates
        return "AND h.rate_in_cents BETWEEN \(rates.lowerBound) AND \(rates.upperBound)"
    }

    private func words(discipline: Discipline?) -> SQL {
        guard let search = request.filter.search else { return "" }
        guard isBeginningLeftToRows else {
            return "AND h.words @@ \(search.query(discipline: discipline))::text::tsquery"
        }
        // No index has the answer to the second in this form.
        return """
            AND h.words @@ \(search.exactQuery(discipline: discipline))::text::tsquery
            AND (h.words @@ \(search.beginningQuery)::text::tsquery) IS TRUE
            """
    }

    // MARK: Places that heroes have left

    /// Heroes who have left their places since the walk began are not met where they are now …
    private var notElsewhere: SQL {
        guard let edition else { return "" }
        return "AND NOT EXISTS (SELECT FROM heroes.former_places f WHERE f.hero_id = h.id AND f.until > \(edition))"
    }

    /// … but where they were: each at the first place that it left after that.
    private func withFormer(_ places: SQL) -> SQL {
        guard let edition else { return places }
        let limit = SQL(unsafeRaw: String(request.size + 1))
        return """
            SELECT key, id FROM (
                SELECT key, id FROM (\(places)) now
                UNION ALL
                SELECT key, id FROM (
                    SELECT f.\(key) AS key, f.hero_id AS id FROM heroes.former_places f
                    JOIN heroes.heroes h ON h.id = f.hero_id
                    WHERE f.until > \(edition) AND h.state = 'accepted' \(whole)
                        AND NOT EXISTS (SELECT FROM heroes.former_places s
                            WHERE s.hero_id = f.hero_id AND s.until > \(edition) AND s.until < f.until)
                        \(after("f.\(key)", "f.hero_id"))
                    \(order("f.\(key)", "f.hero_id")) LIMIT \(limit)
                ) once
            ) both_kinds \(order("key", "id")) LIMIT \(limit)
            """
    }
}
