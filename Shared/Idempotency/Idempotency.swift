import Hummingbird
import Identity
import Postgres
import ServiceKit

/// Requests with an `Idempotency-Key` take effect once: the same caller, key and request within a day get the answer
/// that was given first, however often and on however many replicas they come.
///
/// The answer is kept by the transaction that makes the effect, so either both are there or neither; of requests that
/// come at once all but one wait for that transaction, by the table's unique index. Failures are not kept: a client that
/// repeats one tries anew.
///
/// ```swift
/// func book(_ request: ServiceRequest) async throws -> Response {
///     try await idempotency.once(request, postgres) { attempt in
///         let time = try read(request)                 // what was answered before is answered again before this
///         return try await outbox.withTransaction(postgres) { transaction in
///             try await attempt.answer(in: transaction) {
///                 try await store(time, in: transaction)
///                 return .json { … }
///             }
///         }
///     }
/// }
/// ```
public struct Idempotency: Sendable {
    /// For how long an answer is kept.
    public static let lifetime: Duration = .seconds(24 * 3600)

    let schema: String
    let seal: AnswerSeal
    let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - schema: the schema with the table of ``IdempotencyTables``: `a-z`, `0-9` and `_`.
    ///   - now: the time that counts.
    public init(schema: String, secret: SecretKey, now: @escaping @Sendable () -> Timestamp = Timestamp.now) {
        precondition(IdempotencyTables.isIdentifier(schema), "not a schema's name")
        self.schema = schema
        self.seal = AnswerSeal(secret)
        self.now = now
    }

    /// Answers a request with what was answered before, or lets `body` answer it. Without a key it is `body` alone.
    ///
    /// - Parameters:
    ///   - caller: whose key it is; who asks, when nil. Give it where the effect itself changes whom a second try comes
    ///     from.
    ///   - beforeReplay: runs before an answer is given again, for what must be so whenever it is given, such as that
    ///     Redis has heard. It may throw.
    ///   - body: does all of the work, in whatever transaction it likes, in which it calls
    ///     ``Attempt/answer(in:_:)`` (or ``Attempt/replay(in:)`` and ``Attempt/keep(_:in:)``).
    /// - Throws: `Problem`: 400 for a key that is none, 422 `idempotency_key_reused` for one that came with another
    ///   request; `PostgresError`; what the closures throw.
    public func once(
        _ request: ServiceRequest, _ postgres: PostgresClient, by caller: Claims? = nil,
        beforeReplay: () async throws -> Void = {}, _ body: (Attempt) async throws -> Response
    ) async throws -> Response {
        guard let keyed = try KeyedRequest(request, by: caller, hashing: seal.hashing) else {
            return try await body(.unkeyed)
        }
        if let answer = try await answer(to: keyed, postgres) {
            try await beforeReplay()
            return answer
        }
        let attempt = Attempt(keyed, self)
        do {
            let response = try await body(attempt)
            if attempt.replays { try await beforeReplay() }
            return response
        } catch let problem as Problem where !attempt.hasKey {
            // Refused before it could take the key, perhaps for what its twin has done meanwhile.
            guard let answer = try await answer(to: keyed, postgres) else { throw problem }
            try await beforeReplay()
            return answer
        }
    }

    private func answer(to keyed: KeyedRequest, _ postgres: PostgresClient) async throws -> Response? {
        try answer(to: keyed, in: try await postgres.read(selection(keyed, at: now())))
    }

    func answer(to keyed: KeyedRequest, in rows: PostgresRows) throws -> Response? {
        guard let (request, sealed) = try rows.first?.decode(([UInt8], [UInt8]).self) else { return nil }
        guard request == keyed.request else { throw Problem(.idempotencyKeyReused) }
        return try seal.open(sealed, for: keyed).response
    }

    func selection(_ keyed: KeyedRequest, at now: Timestamp) -> SQL {
        """
        SELECT request, answer FROM \(table)
        WHERE key = \(keyed.key) AND answer IS NOT NULL AND created > \(now - Self.lifetime)
        """
    }

    var table: SQL { SQL(unsafeRaw: "\(schema).idempotency_keys") }

    /// Removes answers that are kept no longer. Any number of processes may do it at once.
    ///
    /// - Throws: `PostgresError`.
    public func clean(_ postgres: PostgresClient) async throws {
        let end = now() - Self.lifetime
        var removed: Int
        repeat {
            removed = try await postgres.execute(
                """
                DELETE FROM \(table) WHERE key = ANY (ARRAY(
                    SELECT key FROM \(table) WHERE created <= \(end) ORDER BY created LIMIT 1000 FOR UPDATE SKIP LOCKED))
                """
            ).affected
        } while removed == 1000 && !Task.isCancelled
    }
}
