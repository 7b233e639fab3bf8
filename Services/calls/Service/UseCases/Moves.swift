import CallsDomain
import Hummingbird
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Calls {
    /// The hero takes a call and offers three times.
    func accept(_ request: ServiceRequest) async throws -> Response {
        try await move(request, by: .hero) { fields, now in .accept(try Self.times(&fields, at: now)) }
    }

    /// The hero refuses a call and says why.
    func decline(_ request: ServiceRequest) async throws -> Response {
        try await move(request, by: .hero) { fields, _ in
            let reason = fields.string("reason", CallRequest.reasonLength)
            return .decline(reason: try fields.finish(reason))
        }
    }

    /// A party offers three other times.
    func suggestTimes(_ request: ServiceRequest) async throws -> Response {
        try await move(request, by: .parties) { fields, now in .suggest(try Self.times(&fields, at: now)) }
    }

    /// A party takes one of the times that the other offered last.
    func agree(_ request: ServiceRequest) async throws -> Response {
        let response = try await move(request, by: .parties) { fields, _ in
            let time = fields.instant("agreed_time")
            return .agree(Instant(microseconds: try fields.finish(time).microseconds))
        }
        reminders.ring()
        return response
    }

    /// Three instants that obey the rules for times.
    private static func times(_ fields: inout Fields, at now: Instant) throws -> SuggestedTimes {
        let sent = ["time_one", "time_two", "time_three"].map { name in
            fields.instant(name).map { Instant(microseconds: $0.microseconds) }
        }
        fields.note(SuggestedTimes.faults(one: sent[0], two: sent[1], three: sent[2], now: now))
        let (one, two, three) = try fields.finish(sent[0], sent[1], sent[2])
        return SuggestedTimes(stored: one, two, three)
    }

    /// Who may make a move.
    private enum Movers {
        case hero
        case parties

        func require(_ user: UUID, in call: CallRequest) throws(CallRuleViolation) {
            switch self {
            case .hero: try call.requireHero(user)
            case .parties: try call.requireParty(user)
            }
        }
    }

    /// One move of a negotiation: is there such a request, may they, is it well said, does the state allow it. The first
    /// three are settled before the transaction: who the parties are never changes.
    private func move(
        _ request: ServiceRequest, by movers: Movers, read: (inout Fields, Instant) throws -> CallMove
    ) async throws -> Response {
        let user = try request.user.id
        let id = try request.id()
        return try await idempotency.once(request, postgres) { attempt in
            guard let parties = try await parties(of: id) else { throw Problem.noSuchRequest }
            try Problem.ofRules { () throws(CallRuleViolation) in try movers.require(user, in: parties) }
            let now = now()
            var fields = try request.fields()
            let move = try read(&fields, now)
            // Whoever suggests times is shown with them.
            let person = try await users.user(user, trace: request.trace)
            return try await outbox.withTransaction(postgres) { transaction in
                try await attempt.answer(in: transaction) {
                    guard var stored = try await RequestRows.locked(id, in: transaction) else {
                        throw Problem.noSuchRequest
                    }
                    try Problem.ofRules { () throws(CallRuleViolation) in
                        try stored.call.make(move, by: user, now: now)
                    }
                    stored.people[user] = person
                    stored.updated = now
                    try await save(move, of: stored, by: user, request.trace, in: transaction)
                    return .callRequest(stored)
                }
            }
        }
    }

    /// A request of which nothing but its parties is of any use; those never change.
    private func parties(of id: Int64) async throws -> CallRequest? {
        let rows = try await postgres.read("SELECT user_id, hero_user_id FROM calls.requests WHERE id = \(id)")
        guard let (requester, heroOwner) = try rows.first?.decode((UUID, UUID).self) else { return nil }
        return CallRequest(requester: requester, heroOwner: heroOwner, estimatedLength: 0)
    }
}
