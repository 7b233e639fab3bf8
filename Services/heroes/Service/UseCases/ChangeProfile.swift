import HeroesDomain
import Hummingbird
import Idempotency
import Identity
import Postgres
import ServiceKit

extension Heroes {
    /// A hero changes the offer. What is public changes with it; the slug stays.
    func changeProfile(_ request: ServiceRequest) async throws -> Response {
        let caller = try request.user
        guard caller.flags.contains(.emailVerified) else { throw Problem(.emailUnverified) }
        // Who may not do this isn't told what is wrong with the body.
        let mine = try await postgres.read("SELECT id FROM heroes.heroes WHERE user_id = \(caller.id)")
        guard !mine.isEmpty else { throw Problem.notAHero }
        return try await idempotency.once(request, postgres) { try await changeProfile(request, caller, $0) }
    }

    private func changeProfile(
        _ request: ServiceRequest, _ caller: Claims.User, _ attempt: Attempt
    ) async throws -> Response {
        var fields = try request.fields()
        let patch = try fields.heroPatch()
        // Before anything is written: without it there is no answer.
        let user = try await accounts.fullUser(caller.id, for: request)

        let now = now()
        return try await outbox.withTransaction(postgres) { transaction in
            try await attempt.answer(in: transaction) {
                guard let hero = try await transaction.lockedHero("h.user_id = \(caller.id)") else {
                    throw Problem.notAHero
                }
                let changed = try await change(
                    hero, to: hero.details.applying(patch), request, at: now, in: transaction)
                return .profile(changed, user: user)
            }
        }
    }

    private func change(
        _ hero: Hero, to details: HeroDetails, _ request: ServiceRequest, at now: Timestamp,
        in transaction: PostgresTransaction
    ) async throws -> Hero {
        guard details != hero.details else { return hero }
        var hero = hero
        hero.details = details
        hero.version += 1
        hero.updated = now
        let names = try await transaction.execute(
            "SELECT \(PublicUser.columns) FROM heroes.users u WHERE u.id = \(hero.userID)")
        guard let row = names.first else { throw PostgresError(.protocolViolation, "a hero without a user") }
        var columns = ColumnReader(row)
        let words = HeroWords(user: try PublicUser(&columns), details: details)
        try await outbox.append(HeroEvent.updated.of(hero, trace: request.trace), in: transaction)
        // Late: if the hero is public, this takes the lock of the directory's edition.
        try await transaction.execute(
            """
            UPDATE heroes.heroes SET
                discipline = \(details.discipline.rawValue), title = \(details.title),
                description = \(details.description), position = \(details.position), company = \(details.company),
                short_bio = \(details.shortBio), years_of_exp = \(details.yearsOfExperience)::bigint,
                rate_in_cents = \(details.rateInCents)::bigint, linkedin_url = \(details.linkedInURL),
                words = \(words.vector), version = \(hero.version), updated = \(now)
            WHERE id = \(hero.id)
            """)
        return hero
    }
}
