import Hummingbird
import Postgres
import ServiceKit
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One try of a request to take effect. A request without a key is told so nowhere: everything here then costs nothing.
public final class Attempt: Sendable {
    private enum State {
        /// Has not come as far as its transaction.
        case early
        /// Has the key: nobody else takes effect before its transaction ends.
        case hasKey
        /// Another one had it and was answered.
        case replays
    }

    static let unkeyed = Attempt()

    private let keyed: KeyedRequest?
    private let idempotency: Idempotency?
    private let state = Mutex(State.early)

    init(_ keyed: KeyedRequest, _ idempotency: Idempotency) {
        self.keyed = keyed
        self.idempotency = idempotency
    }

    private init() {
        self.keyed = nil
        self.idempotency = nil
    }

    var hasKey: Bool { state.withLock { $0 == .hasKey } }
    var replays: Bool { state.withLock { $0 == .replays } }

    /// Whether the request has an `Idempotency-Key`.
    public var isKeyed: Bool { keyed != nil }

    /// The same for each try of the caller with the same key, whatever the body, and nobody else's; nil without a key. It
    /// is for what takes effect elsewhere than in Postgres, where it can name the effect, and tells nothing of the key.
    public var id: UUID? { keyed?.id }

    /// Answers again, or takes effect and keeps the answer. Call it first in the transaction, which must roll back when
    /// this throws.
    ///
    /// - Parameter effect: does the work in the same transaction. What it throws is not kept.
    /// - Throws: `Problem` 422; `PostgresError`; what `effect` throws.
    public func answer(
        in transaction: PostgresTransaction, _ effect: () async throws -> Response
    ) async throws -> Response {
        if let answer = try await replay(in: transaction) { return answer }
        let response = try await effect()
        try await keep(response, in: transaction)
        return response
    }

    /// Takes the key for this transaction, having waited for another one that has it. Call it before anything else.
    ///
    /// A transaction that commits without ``keep(_:in:)`` lets go of the key: the next try takes effect anew.
    ///
    /// - Returns: the answer that was given before, with which the transaction must end; nil when it is this one's turn.
    /// - Throws: `Problem` 422; `PostgresError`.
    public func replay(in transaction: PostgresTransaction) async throws -> Response? {
        guard let keyed, let idempotency else { return nil }
        let now = idempotency.now()
        let taken = try await transaction.execute(
            """
            INSERT INTO \(idempotency.table) AS old (key, request, created)
            VALUES (\(keyed.key), \(keyed.request), \(now))
            ON CONFLICT (key) DO UPDATE SET request = EXCLUDED.request, answer = NULL, created = EXCLUDED.created
            WHERE old.answer IS NULL OR old.created <= \(now - Idempotency.lifetime)
            """)
        if taken.affected == 1 {
            state.withLock { $0 = .hasKey }
            return nil
        }
        state.withLock { $0 = .replays }
        let rows = try await transaction.execute(idempotency.selection(keyed, at: now))
        guard let answer = try idempotency.answer(to: keyed, in: rows) else { throw Problem.unavailable() }
        return answer
    }

    /// Keeps the answer for those who ask again. The transaction must have the key.
    ///
    /// - Throws: `PostgresError`.
    public func keep(_ response: Response, in transaction: PostgresTransaction) async throws {
        guard let keyed, let idempotency else { return }
        let sealed = try idempotency.seal.seal(try await StoredAnswer(response), for: keyed)
        try await transaction.execute(
            "UPDATE \(idempotency.table) SET answer = \(sealed) WHERE key = \(keyed.key)")
    }
}
