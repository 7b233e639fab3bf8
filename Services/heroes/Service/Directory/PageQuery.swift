import HeroesDomain
import Postgres
import ServiceKit

/// The statements that find a page. Which heroes are on it and where is found from indexes alone where that can be, and
/// only then are the few rows read.
struct PageQuery: Sendable {
    /// How the places of a page are found.
    enum Way: Sendable, Hashable {
        /// Along an index that has nothing but what is asked for, in order; what isn't in it is left out on the way.
        case along
        /// Along an index, and among so many of its next entries only.
        case among(Int)
        /// All that the filter lets through first, then put in order. It counts as well.
        case gathered
    }

    let request: PageRequest
    /// Places counted from the start, or from the end.
    var offset: Int64 = 0
    var isFromEnd = false
    /// The edition in which heroes are met where they were; nil for the present one.
    var edition: Int64?

    init(_ request: PageRequest) {
        self.request = request
        switch request.place {
        case .number(let number): offset = Int64(number - 1) * Int64(request.size)
        case .cursor(let cursor):
            isFromEnd = cursor.direction == .before
            if !request.ordering.key.isFixed { edition = cursor.edition }
        }
    }

    /// The columns are those of the edition, the count (NULL unless gathered or asked for), the place's key, a hero and
    /// a user; the last three NULL when the page is empty. One row more than the page has says that it goes on.
    func statement(_ way: Way, count: SQL? = nil, limit: Int? = nil) -> SQL {
        let limit = limit ?? request.size + 1
        var start: SQL = ""
        var count = count ?? "NULL::bigint"
        let places: SQL
        switch way {
        case .along:
            places = present(
                "SELECT h.\(key) AS key, h.id FROM heroes.heroes h WHERE \(conditions) \(notElsewhere) \(cut(limit))")
        case .among(let most):
            places = present(
                """
                SELECT h.key, h.id FROM (
                    SELECT h.\(key) AS key, h.id, h.rate_in_cents, h.words FROM heroes.heroes h
                    WHERE \(conditionsOfIndex) \(after("h.\(key)", "h.id")) \(order("h.\(key)", "h.id"))
                    LIMIT \(unsafeRaw: String(most))
                ) h WHERE true \(filter) \(notElsewhere) LIMIT \(unsafeRaw: String(limit))
                """)
        case .gathered:
            start = """
                WITH matching AS MATERIALIZED (
                    SELECT h.\(key) AS key, h.id FROM heroes.heroes h WHERE h.state = 'accepted' \(filterAndDiscipline)
                )
                """
            count = "(SELECT count(*) FROM matching)"
            places = present(
                """
                SELECT h.key, h.id FROM matching h WHERE true \(after("h.key", "h.id")) \(notElsewhere)
                \(order("h.key", "h.id")) LIMIT \(unsafeRaw: String(limit)) OFFSET \(offset)
                """)
        }
        return """
            \(start)
            SELECT \(Edition.columns), \(count), p.key, \(Hero.columns), \(PublicUser.columns)
            FROM heroes.edition e LEFT JOIN (
                (\(places)) p JOIN heroes.heroes h ON h.id = p.id JOIN heroes.users u ON u.id = h.user_id
            ) ON true \(order("p.key", "p.id"))
            """
    }

    /// How many heroes the filter lets through, but no more than are worth counting.
    func cappedCount(_ most: Int, alongOrder: Bool) -> SQL {
        let order: SQL = alongOrder ? "ORDER BY h.created, h.id" : ""
        return """
            SELECT count(*) FROM (
                SELECT FROM heroes.heroes h WHERE h.state = 'accepted' \(filterAndDiscipline) \(order)
                LIMIT \(unsafeRaw: String(most))
            ) c
            """
    }

    /// Makes the planner say how many heroes it thinks the filter lets through.
    var estimate: SQL {
        "EXPLAIN (FORMAT JSON) SELECT FROM heroes.heroes h WHERE h.state = 'accepted' \(filterAndDiscipline)"
    }

    // MARK: Parts

    private var key: SQL { SQL(unsafeRaw: request.ordering.key.column) }

    /// Whether the index is read backwards.
    private var isDescending: Bool { request.ordering.isDescending != isFromEnd }

    private func order(_ key: SQL, _ id: SQL) -> SQL {
        isDescending ? "ORDER BY \(key) DESC, \(id) DESC" : "ORDER BY \(key), \(id)"
    }

    private func after(_ key: SQL, _ id: SQL) -> SQL {
        guard case .cursor(let cursor) = request.place else { return "" }
        let value: SQL =
            cursor.ordering.key == .created ? "\(Timestamp(microseconds: cursor.key))" : "\(cursor.key)"
        return isDescending
            ? "AND (\(key), \(id)) < (\(value), \(cursor.id))" : "AND (\(key), \(id)) > (\(value), \(cursor.id))"
    }

    private func cut(_ limit: Int) -> SQL {
        let cut: SQL = "\(order("h.\(key)", "h.id")) LIMIT \(unsafeRaw: String(limit))"
        return offset == 0 ? cut : "\(cut) OFFSET \(offset)"
    }

    /// What an index of the order has for its own: the discipline.
    private var conditionsOfIndex: SQL {
        guard let discipline = request.filter.discipline else { return "h.state = 'accepted'" }
        return "h.state = 'accepted' AND h.discipline = \(discipline.rawValue)"
    }

    private var conditions: SQL {
        "\(conditionsOfIndex) \(rates) \(words(discipline: nil)) \(after("h.\(key)", "h.id"))"
    }

    /// What the index of an order does not have for its own.
    private var filter: SQL { "\(rates) \(words(discipline: nil))" }

    /// With a search, the discipline is a word like others, so that one index has the answer.
    private var filterAndDiscipline: SQL {
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
        return "AND h.words @@ \(search.query(discipline: discipline))::text::tsquery"
    }

    // MARK: Places that heroes have left

    /// Heroes who have left their places since the walk began are not met where they are now …
    private var notElsewhere: SQL {
        guard let edition else { return "" }
        return "AND NOT EXISTS (SELECT FROM heroes.former_places f WHERE f.hero_id = h.id AND f.until > \(edition))"
    }

    /// … but where they were: the first place of each that it left after that.
    private func present(_ places: SQL) -> SQL {
        guard let edition else { return places }
        let limit = SQL(unsafeRaw: String(request.size + 1))
        return """
            SELECT key, id FROM (
                SELECT key, id FROM (\(places)) there
                UNION ALL
                SELECT key, id FROM (
                    SELECT f.\(key) AS key, f.hero_id AS id FROM heroes.former_places f
                    JOIN heroes.heroes h ON h.id = f.hero_id
                    WHERE f.until > \(edition) AND h.state = 'accepted' \(filterAndDiscipline)
                        AND NOT EXISTS (SELECT FROM heroes.former_places s
                            WHERE s.hero_id = f.hero_id AND s.until > \(edition) AND s.until < f.until)
                        \(after("f.\(key)", "f.hero_id"))
                    \(order("f.\(key)", "f.hero_id")) LIMIT \(limit)
                ) once
            ) both_kinds \(order("key", "id")) LIMIT \(limit)
            """
    }
}

extension Ordering.Key {
    /// The column of `heroes.heroes` that has it.
    fileprivate var column: String { rawValue }
}
