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
        let sent = ["time_one", "time_two", "time_three"].map { fields.suggestedTime($0) }
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
            let rows = try await postgres.read(RequestRows.select(id))
            guard let found = try RequestRows.decode(rows).first else { throw Problem.noSuchRequest }
            try Problem.ofRules { () throws(CallRuleViolation) in try movers.require(user, in: found.call) }
            var fields = try request.fields()
            let move = try read(&fields, now())
            let people = try await people(shownAfter: move, of: found, by: user, trace: request.trace)
            if case .agree = move { try await number(found.call) }
            return try await outbox.withTransaction(postgres) { transaction in
                try await attempt.answer(in: transaction) {
                    guard var stored = try await RequestRows.locked(id, in: transaction) else {
                        throw Problem.noSuchRequest
                    }
                    // Only now: whoever had to wait for the row comes after whom they waited for.
                    let now = now()
                    try Problem.ofRules { () throws(CallRuleViolation) in
                        try stored.call.make(move, by: user, now: now)
                    }
                    stored.people.merge(people) { kept, _ in kept }
                    guard stored.strangers.isEmpty else { throw Problem.unavailable() }
                    stored.updated = now
                    try await save(move, of: stored, by: user, request.trace, in: transaction)
                    return .callRequest(stored)
                }
            }
        }
    }

    /// The public blocks of all who will have suggested times when a move is made: they are shown with them. Nobody else
    /// is asked for, so that a move doesn't need accounts whose answer doesn't.
    private func people(
        shownAfter move: CallMove, of found: StoredRequest, by user: UUID, trace: TraceContext
    ) async throws -> [UUID: PublicUser] {
        var people = found.people
        var missing = found.strangers
        switch move {
        case .accept, .suggest: if people[user] == nil { missing.insert(user) }
        case .decline, .agree: break
        }
        for id in missing { people[id] = try await users.user(id, trace: trace) }
        return people
    }
}

extension Fields {
    /// An instant that must be there. What is finer than a microsecond is cut off, but doesn't become a quarter of an hour
    /// by that.
    fileprivate mutating func suggestedTime(_ name: String) -> Instant? {
        parsed(name, "This must be a date and time with an offset, such as 2016-11-16T15:56:56Z.") { text in
            guard let microseconds = RFC3339.microseconds(text) else { return nil }
            let time = Instant(microseconds: microseconds)
            let fraction = text.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst().dropFirst(6)
            let isFiner = fraction.prefix { (0x30...0x39).contains($0) }.contains { $0 != 0x30 }
            return isFiner && time.isOnAQuarterHour ? Instant(microseconds: microseconds + 1) : time
        }
    }
}
