import AccountsDomain
import Hummingbird
import Idempotency
import Identity
import Postgres
import ServiceKit

/// What the transaction of a request did.
struct Effect: Sendable {
    private enum Outcome: Sendable {
        case answered(Response)
        case refused(Problem)
    }

    private let outcome: Outcome
    /// What Redis has to hear once it has committed.
    var changes: TokenChanges
    /// Whether messages wait that did not before.
    var sends: Bool

    private init(_ outcome: Outcome, _ changes: TokenChanges, sends: Bool) {
        self.outcome = outcome
        self.changes = changes
        self.sends = sends
    }

    /// It succeeded, and is answered the same whenever its request comes again.
    static func answered(_ response: Response, _ changes: TokenChanges = .none, sends: Bool = false) -> Effect {
        Effect(.answered(response), changes, sends: sends)
    }

    /// It failed, and what it wrote stays all the same, such as that a try was one too many. It is decided anew when its
    /// request comes again.
    static func refused(_ problem: Problem) -> Effect {
        Effect(.refused(problem), .none, sends: false)
    }

    /// What to keep; nil of a failure.
    var kept: Response? {
        if case .answered(let response) = outcome { response } else { nil }
    }

    /// - Throws: the `Problem` of a failure.
    func get() throws -> Response {
        switch outcome {
        case .answered(let response): return response
        case .refused(let problem): throw problem
        }
    }
}

extension Accounts {
    /// Answers a request, with a key once only.
    ///
    /// - Parameters:
    ///   - caller: whose key it is; who asks, when nil.
    ///   - endsTokens: what it promises may be that tokens have ended. Its first try may have ended them and then not have
    ///     reached Redis; so before the promise is made again, Redis hears of all that waits.
    func once(
        _ request: ServiceRequest, by caller: Claims? = nil, endsTokens: Bool = true,
        _ body: (Attempt) async throws -> Response
    ) async throws -> Response {
        try await idempotency.once(
            request, postgres, by: caller,
            beforeReplay: { if endsTokens { try await tokens.settleAll(postgres) } }, body)
    }

    /// Does all that a request writes in one transaction and keeps the answer there, tells Redis and the workers, and
    /// answers.
    ///
    /// - Throws: what `body` throws; then nothing was written. The `Problem` of what `body` refused.
    func change(
        _ attempt: Attempt, _ body: @Sendable (PostgresTransaction) async throws -> Effect
    ) async throws -> Response {
        let effect = try await outbox.withTransaction(postgres) { transaction -> Effect in
            if let response = try await attempt.replay(in: transaction) { return .answered(response) }
            let effect = try await body(transaction)
            if let response = effect.kept { try await attempt.keep(response, in: transaction) }
            return effect
        }
        if effect.sends { outgoing.wake() }
        try await tokens.settle(effect.changes, postgres)
        return try effect.get()
    }
}
