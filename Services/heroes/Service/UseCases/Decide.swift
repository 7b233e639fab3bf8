import HeroesDomain
import Hummingbird
import Idempotency
import Identity
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Heroes {
    /// Staff takes a hero into the directory.
    func accept(_ request: ServiceRequest) async throws -> Response {
        try await decide(.accept, request)
    }

    /// Staff keeps a hero out of the directory, or takes one out of it.
    func decline(_ request: ServiceRequest) async throws -> Response {
        try await decide(.decline, request)
    }

    /// A decision as it stands: who made it and when.
    private struct Standing: Sendable {
        var staff: UUID
        var decided: Timestamp

        func answer(_ decision: Decision, _ hero: Hero) -> Response {
            .json { json in
                json.object { json in
                    json.field("user", staff)
                    json.field("hero", hero.id)
                    json.field("accepted", decision == .accept)
                    json.field("timestamp", decided)
                }
            }
        }
    }

    /// A decision made again is answered with who made it first, and when; nothing happens and nobody is told again.
    private func decide(_ decision: Decision, _ request: ServiceRequest) async throws -> Response {
        let caller = try request.user
        guard caller.flags.contains(.staff) else { throw Problem.notStaff }
        return try await idempotency.once(request, postgres) { try await decide(decision, request, caller, $0) }
    }

    private func decide(
        _ decision: Decision, _ request: ServiceRequest, _ caller: Claims.User, _ attempt: Attempt
    ) async throws -> Response {
        var fields = try request.fields()
        let given = fields.heroID("hero_id")
        let id = try fields.finish(given)

        let now = now()
        return try await outbox.withTransaction(postgres) { transaction in
            try await attempt.answer(in: transaction) {
                guard let hero = try await transaction.lockedHero("h.id = \(id)") else {
                    throw Problem.invalid("hero_id", "There is no hero with this id.")
                }
                switch hero.state.after(decision) {
                case .stands:
                    return try await standing(of: hero, in: transaction).answer(decision, hero)
                case .changes(let state):
                    let standing = Standing(staff: caller.id, decided: now)
                    try await carry(out: decision, hero, to: state, standing, request, in: transaction)
                    return standing.answer(decision, hero)
                }
            }
        }
    }

    private func carry(
        out decision: Decision, _ hero: Hero, to state: ReviewState, _ standing: Standing, _ request: ServiceRequest,
        in transaction: PostgresTransaction
    ) async throws {
        var hero = hero
        hero.state = state
        hero.version += 1
        hero.updated = standing.decided
        try await transaction.execute(
            """
            INSERT INTO heroes.decisions (hero_id, decision, decided_by, decided)
            VALUES (\(hero.id), \(decision.rawValue), \(standing.staff), \(standing.decided))
            """)
        try await outbox.append(
            HeroEvent(decision, by: standing.staff).of(hero, trace: request.trace), in: transaction)
        // Late: this takes the lock of the directory's edition.
        try await transaction.execute(
            """
            UPDATE heroes.heroes SET state = \(state.rawValue), version = \(hero.version), updated = \(hero.updated)
            WHERE id = \(hero.id)
            """)
    }

    private func standing(of hero: Hero, in transaction: PostgresTransaction) async throws -> Standing {
        let rows = try await transaction.execute(
            """
            SELECT decided_by, decided FROM heroes.decisions WHERE hero_id = \(hero.id) ORDER BY id DESC LIMIT 1
            """)
        guard let (staff, decided) = try rows.first?.decode((UUID, Timestamp).self) else {
            throw PostgresError(.protocolViolation, "a decided hero without a decision")
        }
        return Standing(staff: staff, decided: decided)
    }
}

extension Fields {
    /// The id of a hero that must be there: a positive integer, also as text in plain digits.
    fileprivate mutating func heroID(_ name: String) -> Int64? {
        value(name) { value in
            let message = "This must be the id of a hero."
            let id: Int64
            switch value {
            case .integer(let number): id = number
            case .string(let text):
                guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                    let number = Int64(text)
                else { throw FieldError(message) }
                id = number
            default: throw FieldError(message)
            }
            guard id > 0 else { throw FieldError(message) }
            return id
        }
    }
}
