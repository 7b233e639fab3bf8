import HeroesDomain
import Postgres
import ServiceKit

/// The public directory: each answer is made once for each edition, kept as bytes, and given only after the database
/// has said that the edition still is the present one.
///
/// While Postgres is away it answers nothing (503): whether a hero was taken out a moment ago can't be known then.
struct Directory: Sendable {
    private let postgres: PostgresClient
    private let check: EditionCheck
    private let cache: DirectoryCache
    private let pages: PageLoader

    /// - Parameters:
    ///   - publicURL: where clients reach the gateway.
    ///   - limits: where one way to find a page takes over from another.
    init(postgres: PostgresClient, publicURL: String, limits: PageLoader.Limits = .init()) {
        let cache = DirectoryCache()
        self.postgres = postgres
        self.cache = cache
        self.pages = PageLoader(
            select: { try await postgres.read($0) }, links: PageLinks(publicURL: publicURL), limits: limits)
        self.check = EditionCheck(
            ask: { try await Edition.read(from: postgres) }, onAnswer: { cache.directory(isAt: $0) })
    }

    /// A page of heroes; nil when there is no such page.
    func page(_ request: PageRequest) async throws -> DirectoryAnswer? {
        let edition = try await check.current()
        return try await cache.answer(.page(request), from: edition.version) { [pages] in
            try await pages.load(request, edition)
        }
    }

    /// One accepted hero; nil when there is none of that name.
    func hero(_ name: HeroName) async throws -> DirectoryAnswer? {
        let edition = try await check.current()
        return try await cache.answer(.hero(name), from: edition.version) { [postgres] in
            try await Self.load(name, from: postgres)
        }
    }

    /// A hero with its user, beside the edition; NULL when there is none of that name.
    static func statement(_ name: HeroName) -> SQL {
        let condition: SQL =
            switch name {
            case .id(let id): "h.id = \(id)"
            case .slug(let slug): "h.slug = \(slug.text)"
            }
        return """
            SELECT e.version, p.* FROM heroes.edition e LEFT JOIN LATERAL (
                SELECT \(Hero.columns), \(PublicUser.columns) FROM heroes.heroes h
                JOIN heroes.users u ON u.id = h.user_id
                WHERE \(condition) AND h.state = 'accepted'
            ) p ON true WHERE e.only_row
            """
    }

    private static func load(_ name: HeroName, from postgres: PostgresClient) async throws -> DirectoryCache.Made {
        let rows = try await postgres.read(statement(name))
        guard let row = rows.first else { throw PostgresError(.decoding, "no edition") }
        var columns = ColumnReader(row)
        let version: Int64 = try columns.next()
        guard try row.decode(column: 1, as: Int64?.self) != nil else { return .init(answer: nil, version: version) }
        let hero = try Hero(&columns)
        let user = try PublicUser(&columns)
        var json = JSONWriter(capacity: 2048)
        json.object { hero.write(.page, into: &$0, user: user) }
        return .init(answer: DirectoryAnswer(json.buffer), version: version)
    }
}
