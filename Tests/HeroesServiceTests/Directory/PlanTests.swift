import DemoData
import Foundation
import HeroesDomain
import Logging
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

/// What a page costs may not depend on how many heroes there are: whatever is asked for, indexes have the answer. The
/// statements are those that the directory sends, in the order in which it does.
@Suite("How pages are found")
struct PlanTests {
    private static let heroes = 20_000

    /// A crowd of the demo, for the whole suite.
    private static let database = Task {
        let postgres = try await TestPostgres.shared()
        let database = try await RunningHeroes.migrated(postgres)
        let data = DemoData(.init(heroes: postgres.uri(database: database)), seed: 1)
        try await data.load(heroes: heroes, isEverybodyAccepted: true)
        return postgres.uri(database: database)
    }

    private static func with(_ body: @Sendable (PostgresClient) async throws -> Void) async throws {
        var configuration = PostgresConfiguration(try await database.value, applicationName: "test")
        configuration.sessionSettings = HeroesSchema.sessionSettings
        configuration.acquireTimeout = .seconds(20)
        try await PostgresClient.with(configuration, logger: Logger(label: "test"), body)
    }

    private static let orderings = Ordering.Key.allCases.flatMap {
        [Ordering($0, isDescending: false), Ordering($0, isDescending: true)]
    }

    /// The first page, one after a hero in the middle, and the one before it.
    private static func places(
        _ ordering: Ordering, _ edition: Int64, _ client: PostgresClient
    ) async throws -> [PageRequest.Place] {
        let key = SQL(unsafeRaw: ordering.key.rawValue)
        let value: SQL = ordering.key == .created ? "(extract(epoch FROM created) * 1000000)" : key
        let rows = try await client.read(
            """
            SELECT \(value)::bigint, id
            FROM heroes.heroes ORDER BY \(key), id LIMIT 1 OFFSET \(heroes / 2)
            """)
        guard let (value, id) = try rows.first?.decode((Int64, Int64).self) else { throw TestFailure("no heroes") }
        return [.number(1)]
            + [.after, .before].map {
                .cursor(
                    Cursor(
                        ordering: ordering, direction: $0, key: value, id: id,
                        edition: ordering.key.isFixed ? 0 : edition))
            }
    }

    /// Makes a page and then looks at the plan of each statement that it took.
    ///
    /// - Returns: rows looked at, all statements together.
    @discardableResult
    private static func check(
        _ request: PageRequest, _ limits: PageLoader.Limits, _ client: PostgresClient, sorted: Double = 1000
    ) async throws -> Double {
        let sent = Shared<[SQL]>([])
        let loader = PageLoader(
            select: { sql in
                sent.value.append(sql)
                return try await client.read(sql)
            }, links: PageLinks(publicURL: "http://heroes.example"), limits: limits)
        let edition = try await Edition.read(from: client)
        let made = try await loader.load(request, edition)
        #expect(made.answer != nil, "\(request)")
        #expect(!sent.value.isEmpty)
        var looked = 0.0
        for sql in sent.value where !sql.text.hasPrefix("EXPLAIN") {
            for isGeneric in [false, true] {
                let plan = try await Plan.of(sql, isGeneric: isGeneric, client)
                #expect(plan.tablesRead.isEmpty, "\(request): \(sql.text): \(plan)")
                #expect(plan.sorted <= sorted, "\(request): \(sql.text): \(plan)")
                if !isGeneric { looked += plan.looked }
            }
            #expect(!sql.text.contains("OFFSET"), "\(request)")
        }
        return looked
    }

    @Test("Every order, of all and of a discipline, is read along an index, from wherever the page begins")
    func orders() async throws {
        try await Self.with { client in
            let edition = try await Edition.read(from: client).version
            for ordering in Self.orderings {
                for discipline in [nil, .backEnd, .android] as [Discipline?] {
                    for place in try await Self.places(ordering, edition, client) {
                        let request = PageRequest(
                            filter: DirectoryFilter(discipline: discipline), ordering: ordering, place: place)
                        // A place, a hero and a user each, and the one that says that it goes on; nothing is counted.
                        let looked = try await Self.check(request, .init(), client, sorted: 14)
                        #expect(looked <= 34, "\(request): \(looked)")
                    }
                }
            }
        }
    }

    @Test("Rates in their own order are read along an index; counting them stops where it is exact enough")
    func rates() async throws {
        try await Self.with { client in
            let edition = try await Edition.read(from: client).version
            let rates = [
                DirectoryFilter(minimumRate: 200), DirectoryFilter(maximumRate: 300),
                DirectoryFilter(discipline: .frontEnd, minimumRate: 200, maximumRate: 400),
            ]
            for ordering in Self.orderings where ordering.key == .rate {
                for filter in rates {
                    for place in try await Self.places(ordering, edition, client) {
                        let request = PageRequest(filter: filter, ordering: ordering, place: place)
                        let looked = try await Self.check(request, .init(exactCount: 100), client, sorted: 14)
                        #expect(looked <= 200, "\(request): \(looked)")
                    }
                }
            }
        }
    }

    /// Frequent and rare words, beginnings of words, and all of it together.
    private static let filters: [DirectoryFilter] = [
        DirectoryFilter(minimumRate: 200), DirectoryFilter(minimumRate: 150, maximumRate: 160),
        DirectoryFilter(discipline: .iOS, maximumRate: 200), DirectoryFilter(search: Search("code")),
        DirectoryFilter(search: Search("production")), DirectoryFilter(search: Search("cobol")),
        DirectoryFilter(search: Search("pyt")), DirectoryFilter(search: Search("lovelace")),
        DirectoryFilter(search: Search("set up react")), DirectoryFilter(search: Search("nobodyhasthisword")),
        DirectoryFilter(discipline: .backEnd, search: Search("django")),
        DirectoryFilter(discipline: .userExperience, minimumRate: 100, maximumRate: 500, search: Search("figma")),
        DirectoryFilter(minimumRate: 900, search: Search("questions")),
    ]

    @Test("Any filter in any order goes along an index or gathers few, and looks at no more than it was told to")
    func filtered() async throws {
        try await Self.with { client in
            let edition = try await Edition.read(from: client).version
            // Small, so that a fifth of the table is a lot.
            let limits = PageLoader.Limits(exactCount: 100, few: 0, sample: 200, looked: 1000)
            var most = 0.0
            for ordering in Self.orderings {
                for filter in Self.filters {
                    for place in try await Self.places(ordering, edition, client) {
                        let request = PageRequest(filter: filter, ordering: ordering, place: place)
                        let looked = try await Self.check(request, limits, client)
                        #expect(looked <= 5000, "\(request): \(looked)")
                        most = max(most, looked)
                    }
                }
            }
            #expect(most > 200, "the filters ask for nothing")
        }
    }

    @Test("A hero by id or slug, and the edition, are one lookup each")
    func detail() async throws {
        try await Self.with { client in
            for name in [HeroName.id(7), .slug(try #require(Slug("no-such-hero-is-there")))] {
                let plan = try await Plan.of(Directory.statement(name), isGeneric: true, client)
                #expect(plan.tablesRead.isEmpty, "\(plan)")
                #expect(plan.looked <= 3 && plan.buffers < 20, "\(plan)")
            }
        }
    }

    @Test("Pages of a walk that began before heroes moved stay as cheap")
    func former() async throws {
        let postgres = try await TestPostgres.shared()
        let database = try await RunningHeroes.migrated(postgres)
        try await RunningHeroes.crowd(Self.heroes, in: database, of: postgres)
        let began = Int64(try await postgres.psql("SELECT version FROM heroes.edition", database: database)) ?? 0
        for remainder in 0..<10 {
            try await postgres.psql(
                """
                UPDATE heroes.heroes SET rate_in_cents = (rate_in_cents + 50) % 100, years_of_exp = 40 - years_of_exp
                WHERE id % 200 = \(remainder)
                """, database: database)
        }
        try await postgres.psql("VACUUM (ANALYZE) heroes.heroes, heroes.former_places", database: database)
        var configuration = PostgresConfiguration(postgres.uri(database: database), applicationName: "test")
        configuration.sessionSettings = HeroesSchema.sessionSettings
        configuration.acquireTimeout = .seconds(20)
        try await PostgresClient.with(configuration, logger: Logger(label: "test")) { client in
            for ordering in Self.orderings where !ordering.key.isFixed {
                for place in try await Self.places(ordering, began, client).dropFirst() {
                    let request = PageRequest(ordering: ordering, place: place)
                    let looked = try await Self.check(request, .init(), client, sorted: 1000)
                    #expect(looked <= 3000, "\(request): \(looked)")
                }
            }
        }
    }
}
