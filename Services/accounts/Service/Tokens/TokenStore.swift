import AccountsDomain
import Events
import Identity
import Logging
import Postgres
import Redis
import ServiceKit
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Tokens: the truth in Postgres, copies in Redis.
///
/// Each change happens inside a transaction of the caller, which also leaves rows in `token_sync`; after the commit the
/// caller hands what it got to ``settle(_:_:)``. Whatever that doesn't get done, ``TokenSweep`` does.
final class TokenStore: Sendable {
    let lifetimes: Lifetimes
    private let secret: SecretKey
    private let copies: TokenCopies
    private let outbox: Outbox
    private let logger: Logger
    /// Rows of `token_sync` that Redis has confirmed; the sweep removes them, many at once.
    private let confirmed = Mutex<[Int64]>([])

    init(secret: SecretKey, copies: TokenCopies, outbox: Outbox, lifetimes: Lifetimes, logger: Logger) {
        self.secret = secret
        self.copies = copies
        self.outbox = outbox
        self.lifetimes = lifetimes
        self.logger = logger
    }

    // MARK: Changes

    /// A new token for a user whose row the transaction has locked. With more than the limit, the oldest ends.
    ///
    /// Its copy is not written: the first who asks finds none, asks here, and leaves one.
    func issue(
        to owner: TokenOwner, at now: Instant, trace: TraceContext, in transaction: PostgresTransaction
    ) async throws -> (Token, TokenChanges) {
        let token = Token.random()
        let end = lifetimes.end(ofTokenIssuedAt: now, emailVerified: owner.flags.contains(.emailVerified))
        _ = try await transaction.execute(
            """
            INSERT INTO accounts.auth_tokens (hash, user_id, created, expires)
            VALUES (\(secret.hash(of: token).bytes), \(owner.id), \(now), \(end))
            """)
        var gone = try await revoke(
            """
            user_id = \(owner.id) AND id IN (
                SELECT id FROM accounts.auth_tokens WHERE user_id = \(owner.id) AND expires > \(now)
                ORDER BY id DESC OFFSET \(Lifetimes.tokensPerUser))
            """, at: now, trace, in: transaction.execute)
        // Nobody asked for this end. Were it to fail the request for want of Redis, each new try would end one more.
        gone.mustBeConfirmed = false
        return (token, gone)
    }

    /// Ends all tokens of a user, but perhaps one.
    func revokeAll(
        of user: UUID, except kept: Int64? = nil, at now: Instant, trace: TraceContext,
        in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        try await revoke(
            "user_id = \(user) AND id IS DISTINCT FROM \(kept)", at: now, trace, in: transaction.execute)
    }

    /// Ends one token, in a transaction of its own.
    func revoke(
        _ tokenID: Int64, of user: UUID, at now: Instant, trace: TraceContext, in postgres: PostgresClient
    ) async throws -> TokenChanges {
        // Also after a failure: a statement whose answer was lost may have taken effect.
        defer { outbox.committed() }
        return try await revoke("id = \(tokenID) AND user_id = \(user)", at: now, trace, in: postgres.execute)
    }

    private func revoke(
        _ condition: SQL, at now: Instant, _ trace: TraceContext, in execute: (SQL) async throws -> PostgresRows
    ) async throws -> TokenChanges {
        let rows = try await execute(
            """
            WITH gone AS (
                DELETE FROM accounts.auth_tokens WHERE \(condition) RETURNING id, user_id, hash, expires
            ), ended AS (
                SELECT user_id, array_agg(id ORDER BY id) AS tokens FROM gone WHERE expires > \(now) GROUP BY user_id
            ), published AS (
                \(revoked(trace))
            )
            INSERT INTO accounts.token_sync (hash, expires)
            SELECT hash, expires FROM gone WHERE expires > \(now) RETURNING id, hash, expires
            """)
        var changes = TokenChanges(mustBeConfirmed: true)
        for (id, hash, expires) in try rows.decode((Int64, [UInt8], Instant).self) {
            changes.syncIDs.append(id)
            changes.copies.append(.init(hash: TokenHash(bytes: hash), record: nil, expires: expires))
        }
        return changes
    }

    /// The event of tokens that have ended before their time, for each row of `ended`.
    private func revoked(_ trace: TraceContext) -> SQL {
        outbox.insertion(
            "token.revoked", subject: "user_id::text", data: "json_build_object('user', user_id, 'tokens', tokens)",
            traceparent: "\(trace.traceparent)", from: "ended")
    }

    /// Makes the copies of all of a user's tokens say what is true now. The transaction has changed the user's row and
    /// raised its `token_version`.
    ///
    /// - Parameter losing: the user may do less than before.
    func flagsChanged(
        of owner: TokenOwner, losing: Bool, at now: Instant, in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let rows = try await transaction.execute(
            """
            WITH live AS (
                SELECT id, hash, expires FROM accounts.auth_tokens WHERE user_id = \(owner.id) AND expires > \(now)
            ), queued AS (
                INSERT INTO accounts.token_sync (hash, expires) SELECT hash, expires FROM live RETURNING id, hash
            )
            SELECT queued.id, live.hash, live.id, live.expires FROM queued JOIN live USING (hash)
            """)
        var changes = TokenChanges(mustBeConfirmed: losing)
        for (id, hash, tokenID, expires) in try rows.decode((Int64, [UInt8], Int64, Instant).self) {
            changes.syncIDs.append(id)
            changes.copies.append(
                .init(
                    hash: TokenHash(bytes: hash), record: owner.record(tokenID: tokenID, expires: expires),
                    expires: expires))
        }
        return changes
    }

    /// Gives the tokens of a user whose email was verified just now the rest of a full life.
    func prolong(tokensOf user: UUID, at now: Instant, in transaction: PostgresTransaction) async throws {
        let life = Double(lifetimes.token.components.seconds)
        _ = try await transaction.execute(
            """
            UPDATE accounts.auth_tokens
            SET expires = GREATEST(expires, date_trunc('second', created) + make_interval(secs => \(life)))
            WHERE user_id = \(user) AND expires > \(now)
            """)
    }

    // MARK: Redis

    /// Tells Redis of changes that have committed; of all that waits, when nothing was left of what must be confirmed.
    ///
    /// - Throws: a `Problem` (503) when they had to be confirmed and were not. They hold all the same, and stay queued.
    ///   `PostgresError`.
    func settle(_ changes: TokenChanges, _ postgres: PostgresClient) async throws {
        guard !changes.copies.isEmpty else {
            if changes.mustBeConfirmed { try await settleAll(postgres) }
            return
        }
        do {
            try await copies.write(changes.copies)
            confirmed.withLock { $0 += changes.syncIDs }
        } catch {
            logger.warning("Redis was not told of token changes", metadata: ["error": "\(error)"])
            if changes.mustBeConfirmed { throw Problem.unavailable() }
        }
    }

    /// Tells Redis the truth about the tokens of the oldest rows of `token_sync`.
    ///
    /// - Returns: how many rows are settled.
    func sweep(_ postgres: PostgresClient, limit: Int = 500) async throws -> Int {
        let done = confirmed.withLock { confirmed in
            defer { confirmed = [] }
            return confirmed
        }
        if !done.isEmpty { try await remove(done, postgres) }
        // One statement sees the queue and the truth at the same instant.
        let rows = try await postgres.read(
            """
            SELECT s.id, s.hash, s.expires, t.id, t.expires,
                u.id, u.is_staff, u.email_verified, u.phone_verified, u.payment_verified, u.token_version
            FROM accounts.token_sync s
            LEFT JOIN accounts.auth_tokens t ON t.hash = s.hash
            LEFT JOIN accounts.users u ON u.id = t.user_id
            ORDER BY s.id LIMIT \(limit)
            """)
        guard !rows.isEmpty else { return 0 }
        var changes = TokenChanges()
        for row in rows {
            let (id, hash, expires) = try (
                row.decode(column: 0, as: Int64.self), row.decode(column: 1, as: [UInt8].self),
                row.decode(column: 2, as: Instant.self)
            )
            var copy = TokenChanges.Copy(hash: TokenHash(bytes: hash), record: nil, expires: expires)
            if let tokenID = try row.decode(column: 3, as: Int64?.self) {
                let end = try row.decode(column: 4, as: Instant.self)
                let owner = try TokenOwner(
                    id: row.decode(column: 5), isStaff: row.decode(column: 6), email: row.decode(column: 7),
                    phone: row.decode(column: 8), payment: row.decode(column: 9), version: row.decode(column: 10))
                copy.record = owner.record(tokenID: tokenID, expires: end)
                copy.expires = end
            }
            changes.copies.append(copy)
            changes.syncIDs.append(id)
        }
        try await copies.write(changes.copies)
        try await remove(changes.syncIDs, postgres)
        return changes.syncIDs.count
    }

    /// Tells Redis of all changes that had committed before, whichever process made them.
    ///
    /// - Throws: a `Problem` (503) when Redis could not be told; `PostgresError`.
    func settleAll(_ postgres: PostgresClient) async throws {
        let newest = try await postgres.read("SELECT max(id) FROM accounts.token_sync")
        guard let last = try newest.first?.decode(Int64?.self) else { return }
        var isQueued = true
        while isQueued {
            do {
                _ = try await sweep(postgres)
            } catch let error as RedisError {
                logger.warning("Redis was not told of token changes", metadata: ["error": "\(error)"])
                throw Problem.unavailable()
            }
            let left = try await postgres.read("SELECT EXISTS (SELECT FROM accounts.token_sync WHERE id <= \(last))")
            isQueued = try left.first?.decode(Bool.self) ?? false
        }
    }

    private func remove(_ ids: [Int64], _ postgres: PostgresClient) async throws {
        _ = try await postgres.execute("DELETE FROM accounts.token_sync WHERE id = ANY(\(ids))")
    }

    // MARK: Asking

    /// The record of a live token. Redis gets a copy in passing.
    func record(of hash: TokenHash, at now: Instant, in postgres: PostgresClient) async throws -> TokenRecord? {
        let rows = try await postgres.read(
            """
            SELECT t.id, t.expires, u.id, u.is_staff, u.email_verified, u.phone_verified, u.payment_verified,
                u.token_version
            FROM accounts.auth_tokens t JOIN accounts.users u ON u.id = t.user_id
            WHERE t.hash = \(hash.bytes) AND t.expires > \(now)
            """)
        guard let row = rows.first else { return nil }
        let (tokenID, expires, id, staff, email, phone, payment, version) = try row.decode(
            (Int64, Instant, UUID, Bool, Bool, Bool, Bool, Int64).self)
        let record = TokenOwner(id: id, isStaff: staff, email: email, phone: phone, payment: payment, version: version)
            .record(tokenID: tokenID, expires: expires)
        copies.offer(.init(hash: hash, record: record, expires: expires))
        return record
    }
}
