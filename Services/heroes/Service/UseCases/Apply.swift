import HTTPTypes
import HeroesDomain
import Hummingbird
import Idempotency
import Identity
import Postgres
import ServiceKit

extension Heroes {
    /// A user with a verified address applies to be a hero, and waits for staff.
    func apply(_ request: ServiceRequest) async throws -> Response {
        let caller = try request.user
        guard caller.flags.contains(.emailVerified) else { throw Problem(.emailUnverified) }
        return try await idempotency.once(request, postgres) { try await apply(request, caller, $0) }
    }

    private func apply(_ request: ServiceRequest, _ caller: Claims.User, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let details = try fields.heroDetails()
        let copy = try await UserCopies.read(caller.id, from: postgres)
        // Registered a moment ago, and the event is still on its way.
        let missing: PublicUser? =
            if copy == nil { try await accounts.publicUser(caller.id, for: request) } else { nil }
        let now = now()
        do {
            return try await outbox.withTransaction(postgres) { transaction in
                try await attempt.answer(in: transaction) {
                    if let missing { try await UserCopies.store([missing], in: transaction) }
                    // Read again: who changes the name from here on waits for the hero, and finds it.
                    guard let user = try await UserCopies.locked(caller.id, in: transaction) else {
                        throw Problem.unavailable()
                    }
                    let hero = try await insert(details, of: user, at: now, in: transaction)
                    try await outbox.append(HeroEvent.applied.of(hero, trace: request.trace), in: transaction)
                    return .json(.created, capacity: 2048) { json in
                        json.object { hero.write(.own, into: &$0, user: user) }
                    }
                }
            }
        } catch let error as PostgresError where error.constraint == "heroes_one_for_user" {
            throw Problem.appliedAlready
        }
    }

    /// Writes a new hero's row under the first slug of its stem that nobody has.
    private func insert(
        _ details: HeroDetails, of user: PublicUser, at now: Timestamp, in transaction: PostgresTransaction
    ) async throws -> Hero {
        let words = HeroWords(user: user, details: details)
        var slugs = try await Slugs.begin(for: user, in: transaction)
        while true {
            let slug = try await slugs.next(in: transaction)
            let rows = try await transaction.execute(
                """
                INSERT INTO heroes.heroes AS h (id, user_id, slug, discipline, title, description, position, company,
                    short_bio, years_of_exp, rate_in_cents, linkedin_url, words, created, updated)
                VALUES (\(slugs.heroID), \(user.id), \(slug.text), \(details.discipline.rawValue), \(details.title),
                    \(details.description), \(details.position), \(details.company), \(details.shortBio),
                    \(details.yearsOfExperience)::bigint, \(details.rateInCents)::bigint, \(details.linkedInURL),
                    \(words.vector), \(now), \(now))
                ON CONFLICT ON CONSTRAINT heroes_slug_unique DO NOTHING
                RETURNING \(Hero.columns)
                """)
            if let row = rows.first { return try Hero(row) }
        }
    }
}
