import Foundation
import TestKit

@testable import HeroesService

extension RunningHeroes {
    /// Puts so many accepted heroes into the database, as they would be after applying. Their ids go from 1 on, their
    /// rates are 0 to 99, their years 0 to 40, and every tenth knows Kotlin.
    func crowd(_ count: Int) async throws {
        try await Self.crowd(count, in: database, of: postgres)
    }

    static func crowd(_ count: Int, in database: String, of postgres: TestPostgres) async throws {
        try await postgres.psql(
            """
            INSERT INTO heroes.users
            SELECT gen_random_uuid(), 'N' || i, 'x', NULL, 'UTC', now(), 1 FROM generate_series(1, \(count)) i;
            INSERT INTO heroes.heroes (user_id, slug, discipline, title, description, position, company, short_bio,
                years_of_exp, rate_in_cents, linkedin_url, state, words, created, updated)
            SELECT id, lower(first_name) || '-x', discipline, 'Title', 'Description', 'p', 'c', 's',
                (i * 7) % 41, (i * 13) % 100, 'http://l.example', 'accepted',
                array_to_tsvector(ARRAY['title', 'description', 'n' || i, 'x', 'c', '=' || lower(discipline)]
                    || CASE WHEN i % 10 = 0 THEN ARRAY['kotlin'] ELSE '{}' END),
                timestamptz '2020-01-01' + i * interval '1 minute', now()
            FROM (
                SELECT *, substr(first_name, 2)::int AS i,
                    (ARRAY['FE', 'BE', 'IO', 'AN', 'UX'])[1 + substr(first_name, 2)::int % 5] AS discipline
                FROM heroes.users WHERE first_name ~ '^N[0-9]+$'
            ) u ORDER BY i;
            ANALYZE heroes.heroes;
            """, database: database)
    }

    /// Goes from a page on by its links, to the end.
    ///
    /// - Returns: the ids of each page.
    func walk(
        _ query: String = "", link: String = "next", between: (Int) async throws -> Void = { _ in }
    ) async throws -> [[Int64]] {
        var answer = try await list(query)
        guard answer.status == 200 else { throw TestFailure("\(query): \(answer)") }
        var pages = [answer.ids]
        try await between(pages.count)
        while let next = try await follow(link, of: answer) {
            guard next.status == 200 else { throw TestFailure("\(query): \(next)") }
            answer = next
            pages.append(answer.ids)
            try await between(pages.count)
            if pages.count > 10_000 { throw TestFailure("\(query) has no end") }
        }
        return pages
    }
}
