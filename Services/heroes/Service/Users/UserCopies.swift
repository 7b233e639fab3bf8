import HeroesDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The public blocks of users that are kept here.
enum UserCopies {
    /// The copy of one user; nil when none has come yet.
    static func read(_ id: UUID, from postgres: PostgresClient) async throws -> PublicUser? {
        try user(await postgres.read("SELECT \(PublicUser.columns) FROM heroes.users u WHERE u.id = \(id)"))
    }

    /// The copy of one user, which stays as it is until the transaction ends.
    static func locked(_ id: UUID, in transaction: PostgresTransaction) async throws -> PublicUser? {
        try user(
            await transaction.execute(
                "SELECT \(PublicUser.columns) FROM heroes.users u WHERE u.id = \(id) FOR SHARE"))
    }

    private static func user(_ rows: PostgresRows) throws -> PublicUser? {
        guard let row = rows.first else { return nil }
        var columns = ColumnReader(row)
        return try PublicUser(&columns)
    }

    /// Stores copies unless what is there is as new. What a hero is found by follows the name.
    static func store(_ users: [PublicUser], in transaction: PostgresTransaction) async throws {
        guard !users.isEmpty else { return }
        // Heroes before users: the order in which everybody takes these locks. Users come in the order of their ids, so
        // that two who store the same ones don't wait for each other.
        let users = users.sorted { $0.id.uuidString < $1.id.uuidString }
        try await transaction.execute(
            "SELECT 1 FROM heroes.heroes WHERE user_id = ANY(\(users.map(\.id))) ORDER BY id FOR NO KEY UPDATE")
        let stored = try await transaction.execute(
            """
            INSERT INTO heroes.users AS u (id, first_name, last_name, profile_image, timezone, created, version)
            SELECT n.id, n.first_name, n.last_name, nullif(n.profile_image, ''), n.timezone, n.created, n.version
            FROM unnest(\(users.map(\.id)), \(users.map(\.firstName)), \(users.map(\.lastName)),
                \(users.map { $0.profileImage ?? "" }), \(users.map(\.timezone)), \(users.map(\.created)),
                \(users.map(\.version)))
                AS n (id, first_name, last_name, profile_image, timezone, created, version)
            ON CONFLICT (id) DO UPDATE SET
                first_name = excluded.first_name, last_name = excluded.last_name,
                profile_image = excluded.profile_image, timezone = excluded.timezone, version = excluded.version
            WHERE excluded.version > u.version
            RETURNING u.id
            """
        ).decode(UUID.self)
        guard !stored.isEmpty else { return }
        // Not before: whoever applied meanwhile, while this waited for the user's row, is a hero by now.
        let heroes = try await transaction.execute(
            """
            SELECT h.id, h.user_id, h.discipline, h.title, h.company, h.description FROM heroes.heroes h
            WHERE h.user_id = ANY(\(stored)) ORDER BY h.id FOR NO KEY UPDATE
            """
        ).decode((Int64, UUID, String, String, String, String).self)
        for (id, user, discipline, title, company, description) in heroes {
            guard let user = users.first(where: { $0.id == user }), let discipline = Discipline(rawValue: discipline)
            else { continue }
            let words = HeroWords(
                user: user, discipline: discipline, title: title, company: company, description: description)
            try await transaction.execute(
                """
                UPDATE heroes.heroes SET words = \(words.vector)
                WHERE id = \(id) AND words <> \(words.vector)
                """)
        }
    }
}
