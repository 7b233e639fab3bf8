import CallsDomain
import Events
import Hummingbird
import Identity
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Calls {
    /// A user asks a hero for a call.
    func create(_ request: ServiceRequest) async throws -> Response {
        let user = try request.user
        for (flag, code) in Self.needed where !user.flags.contains(flag) { throw Problem(code) }
        return try await idempotency.once(request, postgres) { attempt in
            let asked = try Asked(request)
            let now = now()
            do {
                // Without a key it needs no transaction of its own.
                guard attempt.isKeyed else {
                    if let call = try await stored(asked, by: user.id, at: now, request) { return .callRequest(call) }
                    let new = try await checked(asked, by: user.id, request)
                    defer { outbox.committed() }
                    return try created(new, at: now, by: try await postgres.execute(inserting(new, at: now, request)))
                }
                let new = try await checked(asked, by: user.id, request)
                return try await outbox.withTransaction(postgres) { transaction in
                    try await attempt.answer(in: transaction) {
                        try created(new, at: now, by: try await transaction.execute(inserting(new, at: now, request)))
                    }
                }
            } catch let error as PostgresError where error.constraint == "requests_one_open" {
                throw Problem(.conflict, "You have an open call request to this hero already.")
            }
        }
    }

    /// What a user must have, in the order in which it is asked for.
    private static let needed: [(UserFlags, ProblemCode)] = [
        (.emailVerified, .emailUnverified), (.phoneVerified, .phoneUnverified), (.paymentVerified, .paymentUnverified),
    ]

    /// What was sent, and what is wrong with it as far as it can be told without the hero.
    private struct Asked {
        var fields: Fields
        let message: String?
        let length: Int64?
        let heroID: Int64?

        init(_ request: ServiceRequest) throws {
            fields = try request.fields()
            message = fields.string("message", NewCallRequest.messageLength)
            length = fields.integer("estimated_length")
            fields.note(NewCallRequest.faults(message: message, estimatedLength: length))
            heroID = fields.value("hero_id", Calls.heroID)
        }
    }

    /// Holds a request against all its rules. The hero is looked up here, and at its owner's before it is refused.
    private func checked(
        _ asked: Asked, by requester: UUID, _ request: ServiceRequest
    ) async throws -> NewCallRequest {
        var fields = asked.fields
        var hero: Hero?
        if let heroID = asked.heroID {
            do {
                hero = try await heroes.hero(heroID, trace: request.trace)
            } catch let error where error.isUnavailable {
                // What is wrong already is wrong whatever heroes would say.
                try fields.finish()
                throw error
            }
            fields.note(NewCallRequest.faults(hero: hero, by: requester))
        }
        let (message, length) = try fields.finish(asked.message, asked.length)
        return try Problem.ofRules { () throws(CallRuleViolation) in
            try NewCallRequest(requester: requester, hero: hero, message: message, estimatedLength: length)
        }
    }

    /// A positive integer, or the digits of one in a string.
    private static func heroID(_ value: JSONValue) throws(FieldError) -> Int64 {
        switch value {
        case .integer(let id) where id > 0: return id
        case .string(let text) where text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }):
            if let id = Int64(text), id > 0 { return id }
        default: break
        }
        throw FieldError("This must be the id of a hero.")
    }

    /// Stores it beside what others ask for at the same time.
    ///
    /// - Returns: nil when nothing was stored: something is wrong, or the copy of the hero is not enough to tell.
    private func stored(
        _ asked: Asked, by requester: UUID, at now: Instant, _ request: ServiceRequest
    ) async throws -> StoredRequest? {
        var fields = asked.fields
        guard let (message, length, heroID) = try? fields.finish(asked.message, asked.length, asked.heroID) else {
            return nil
        }
        let entry = NewRequests.Entry(
            requester: requester, heroID: heroID, message: message, estimatedLength: length, created: now,
            traceparent: request.trace.traceparent)
        guard let stored = try await newRequests.store(entry) else { return nil }
        let call = CallRequest(requester: requester, heroOwner: stored.heroOwner, estimatedLength: length)
        return StoredRequest(id: stored.id, heroID: heroID, message: message, call: call, created: now, updated: now)
    }

    /// The row and its event, in one statement. Two open requests of a pair are a conflict that the database finds.
    private func inserting(_ new: NewCallRequest, at now: Instant, _ request: ServiceRequest) -> SQL {
        let event = outbox.insertion(
            "call.requested", subject: "id::text", recipients: "ARRAY[user_id, hero_user_id]",
            data: CallEvent.dataOfRow, traceparent: "\(request.trace.traceparent)", from: "created")
        return """
            WITH created AS (
                INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                    created, updated)
                VALUES (\(new.requester), \(new.hero.id), \(new.hero.owner), \(new.message), \(new.estimatedLength),
                    \(new.hero.rateInCents), \(now), \(now))
                RETURNING id, user_id, hero_id, hero_user_id, status, estimated_length
            ), published AS (\(event))
            SELECT id FROM created
            """
    }

    private func created(_ new: NewCallRequest, at now: Instant, by rows: PostgresRows) throws -> Response {
        guard let id = try rows.first?.decode(Int64.self) else { throw PostgresError(.decoding, "no id") }
        let call = CallRequest(
            requester: new.requester, heroOwner: new.hero.owner, estimatedLength: new.estimatedLength)
        return .callRequest(
            StoredRequest(id: id, heroID: new.hero.id, message: new.message, call: call, created: now, updated: now))
    }
}

extension Error {
    /// Whether it says "not now" rather than "never".
    fileprivate var isUnavailable: Bool {
        if let problem = self as? Problem { return problem.code == .temporarilyUnavailable }
        return (self as? any UnavailableError)?.isUnavailable ?? false
    }
}
