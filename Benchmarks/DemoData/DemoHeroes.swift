import Foundation
import HeroesDomain
import Postgres
import ServiceKit

/// Puts heroes of the demo into the schema of heroes, as the service would have them.
struct DemoHeroes {
    private let heroes: PostgresClient
    private let slugs: DemoSlugs
    private var known: [String: [String]] = [:]
    private let staff = UUID()
    /// Whether there was nobody in the directory before these.
    private var isFirst: Bool?

    init(_ heroes: PostgresClient) {
        self.heroes = heroes
        self.slugs = DemoSlugs(heroes: heroes)
    }

    /// - Parameters:
    ///   - customers: users who are no heroes.
    ///   - arePending: so many, the last, wait for staff.
    /// - Returns: the ids, in order.
    mutating func load(
        _ crowd: [DemoHero], customers: [DemoPerson], arePending: Int
    ) async throws -> [Int64] {
        if isFirst == nil { isFirst = try await heroes.read("SELECT 1 FROM heroes.heroes LIMIT 1").isEmpty }
        let ids = try await heroes.ids(crowd.count, of: "heroes.heroes")
        var attempt = 1
        while true {
            do {
                try await load(crowd, ids, customers, arePending)
                return ids
            } catch let error as PostgresError where error.constraint == "heroes_slug_unique" && attempt < 5 {
                // Somebody applied a moment ago whose name has a number in it. The next try has other slugs.
                attempt += 1
            }
        }
    }

    private mutating func load(
        _ crowd: [DemoHero], _ ids: [Int64], _ customers: [DemoPerson], _ arePending: Int
    ) async throws {
        let slugs = try await slugs.take(
            zip(crowd, ids).map { hero, id in
                SlugStem(firstName: hero.person.firstName, lastName: hero.person.lastName) ?? SlugStem(heroID: id)
            })
        var rows = CopyRows()
        var decisions = CopyRows()
        for (index, hero) in crowd.enumerated() {
            let isPending = index >= crowd.count - arePending
            write(hero, ids[index], slugs[index], isPending: isPending, into: &rows)
            guard !isPending else { continue }
            decisions.number(ids[index])
            decisions.text("accept")
            decisions.id(staff)
            decisions.time(hero.decided)
            decisions.endRow()
        }
        let (people, all, decided) = (crowd.map(\.person) + customers, rows, decisions)
        let isFirst = isFirst ?? false
        // Together: a hero who was accepted by nobody would be a fault.
        try await heroes.atOnce { connection in
            // Words are put into their index all at once, which takes a fraction of the time that one by one does. Nobody
            // else sees the setting, and it ends with the transaction. But until then nobody can plan to read the table,
            // so where there are readers it is one by one.
            if isFirst {
                try await connection.execute("ALTER INDEX heroes.heroes_words SET (fastupdate = on)")
                try await connection.execute("SET LOCAL gin_pending_list_limit = '256MB'")
                try await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
            }
            try await DemoCopies.insert(people, into: "heroes.users", connection)
            try await connection.copy(
                all,
                into: """
                    heroes.heroes (id, user_id, slug, discipline, title, description, position, company, short_bio,
                        years_of_exp, rate_in_cents, linkedin_url, state, words, version, created, updated)
                    """)
            if isFirst {
                try await connection.execute("SELECT gin_clean_pending_list('heroes.heroes_words')")
                try await connection.execute("ALTER INDEX heroes.heroes_words SET (fastupdate = off)")
            }
            try await connection.copy(
                decided, into: "heroes.decisions (hero_id, decision, decided_by, decided)")
        }
    }

    private mutating func write(
        _ hero: DemoHero, _ id: Int64, _ slug: String, isPending: Bool, into rows: inout CopyRows
    ) {
        let details = hero.details
        rows.number(id)
        rows.id(hero.person.id)
        rows.text(slug)
        rows.text(details.discipline.rawValue)
        rows.text(details.title)
        rows.text(details.description)
        rows.text(details.position)
        rows.text(details.company)
        rows.text(details.shortBio)
        rows.number(details.yearsOfExperience)
        rows.number(details.rateInCents)
        rows.text(details.linkedInURL)
        rows.text(isPending ? "pending" : "accepted")
        rows.text(vector(hero))
        // Applied and accepted.
        rows.number(isPending ? 1 : 2)
        rows.time(hero.applied)
        rows.time(isPending ? hero.applied : hero.decided)
        rows.endRow()
    }

    /// The words that a hero is found by, as text of type tsvector. Texts of the demo are made of few pieces, so each
    /// piece is cut into words once.
    private mutating func vector(_ hero: DemoHero) -> String {
        let details = hero.details
        let pieces =
            [hero.person.firstName, hero.person.lastName, details.title, details.company]
            + details.description.split(separator: ". ").map(String.init)
        var words = Set([Words.discipline(details.discipline)])
        for piece in pieces {
            if let found = known[piece] {
                words.formUnion(found)
            } else {
                let found = Words.of(piece)
                known[piece] = found
                words.formUnion(found)
            }
        }
        return words.map { "'\($0)'" }.joined(separator: " ")
    }
}

/// The copies of users that heroes and calls keep.
enum DemoCopies {
    /// One that has come by itself meanwhile, from a snapshot, is as good.
    static func insert(_ people: [DemoPerson], into table: SQL, _ connection: PostgresConnection) async throws {
        try await connection.execute(
            """
            INSERT INTO \(table) (id, first_name, last_name, profile_image, timezone, created, version)
            SELECT n.id, n.first_name, n.last_name, nullif(n.profile_image, ''), n.timezone, n.created, 1
            FROM unnest(\(people.map(\.id)), \(people.map(\.firstName)), \(people.map(\.lastName)),
                \(people.map { $0.profileImage ?? "" }), \(people.map(\.timezone)), \(people.map(\.created)))
                AS n (id, first_name, last_name, profile_image, timezone, created)
            ON CONFLICT (id) DO NOTHING
            """)
    }
}
