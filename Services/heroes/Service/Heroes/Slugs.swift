import HeroesDomain
import Postgres

/// The slugs that a new hero can have, one after the other. Whether one is free the unique constraint decides.
///
/// Each stem counts who has asked, so that a namesake begins where the last one ended: of fifty at once each waits for
/// those before it to commit, and none has to try fifty times.
struct Slugs: Sendable {
    /// The hero's id, drawn from its sequence.
    let heroID: Int64
    private let stem: SlugStem

    /// Draws the hero's id and finds the stem of the user's name.
    static func begin(for user: PublicUser, in transaction: PostgresTransaction) async throws -> Slugs {
        let rows = try await transaction.execute(
            "SELECT nextval(pg_get_serial_sequence('heroes.heroes', 'id'))")
        guard let id = try rows.first?.decode(Int64.self) else { throw PostgresError(.protocolViolation, "no id") }
        let stem = SlugStem(firstName: user.firstName, lastName: user.lastName) ?? SlugStem(heroID: id)
        return Slugs(heroID: id, stem: stem)
    }

    /// The next slug that may be free. Whoever asks for one of the same stem waits until this transaction ends.
    mutating func next(in transaction: PostgresTransaction) async throws -> Slug {
        while true {
            let rows = try await transaction.execute(
                """
                INSERT INTO heroes.slug_stems AS s (stem, asked) VALUES (\(stem.text), 1)
                ON CONFLICT (stem) DO UPDATE SET asked = s.asked + 1
                RETURNING asked - 1
                """)
            guard let number = try rows.first?.decode(Int64.self) else {
                throw PostgresError(.protocolViolation, "no number")
            }
            if let slug = stem.slug(number) { return slug }
        }
    }
}
