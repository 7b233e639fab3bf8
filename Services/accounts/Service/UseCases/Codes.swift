import AccountsDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Accounts {
    /// Makes a code, which takes the place of an earlier one of its purpose, and queues the message that carries it.
    ///
    /// - Parameters:
    ///   - user: whose code it is; the transaction has locked or made the row.
    ///   - destination: the address or number that the code will verify, and to which it goes.
    func send(
        _ purpose: CodePurpose, to destination: String, user: User, at now: Instant, in transaction: PostgresTransaction
    ) async throws {
        var generator = SystemRandomNumberGenerator()
        let code = VerificationCode.random(for: purpose, using: &generator)
        let expires = rules.lifetimes.end(of: purpose, madeAt: now)
        _ = try await transaction.execute(
            """
            INSERT INTO accounts.codes (user_id, purpose, hash, selector, destination, created, expires)
            VALUES (\(user.id), \(purpose.rawValue), \(codes.hash(code)), \(codes.selector(code)), \(destination),
                \(now), \(expires))
            ON CONFLICT ON CONSTRAINT codes_one_of_purpose DO UPDATE SET
                hash = EXCLUDED.hash, selector = EXCLUDED.selector, destination = EXCLUDED.destination, tries = 0,
                created = EXCLUDED.created, expires = EXCLUDED.expires, used = NULL
            """)
        try await outgoing.add(
            message(code, to: destination, user: user), to: user.id, notAfter: expires, at: now, in: transaction)
    }

    /// The message that carries a code.
    func message(_ code: VerificationCode, to destination: String, user: User) -> Message {
        let kind: Message.Kind =
            switch code.purpose {
            case .email: .verifyEmail
            case .phone: .verifyPhone
            case .password: .resetPassword
            }
        let name = kind == .resetPassword ? user.firstName.text : "\(user.firstName.text) \(user.lastName.text)"
        return Message(kind: kind, to: destination, name: name, code: code.secret)
    }

    /// Uses up a user's code: one statement that finds it, counts a wrong try and ends a right one, so that of two who
    /// come at once one is too late.
    ///
    /// - Returns: the address or number that the code verifies, or nil when it was wrong. The transaction must commit
    ///   either way, or the try would not count.
    func use(_ code: VerificationCode, of user: UUID, at now: Instant, in transaction: PostgresTransaction) async throws
        -> String?
    {
        let hash = codes.hash(code)
        let rows = try await transaction.execute(
            """
            UPDATE accounts.codes SET
                tries = tries + CASE WHEN hash = \(hash) THEN 0 ELSE 1 END,
                used = CASE WHEN hash = \(hash) THEN \(now)::timestamptz END
            WHERE user_id = \(user) AND purpose = \(code.purpose.rawValue) AND used IS NULL
                AND tries < \(VerificationCode.maximumTries) AND expires > \(now)
            RETURNING used IS NOT NULL, destination
            """)
        guard let (isRight, destination) = try rows.first?.decode((Bool, String).self), isRight else { return nil }
        return destination
    }

    /// Ends a user's code unused.
    func drop(_ purpose: CodePurpose, of user: UUID, at now: Instant, in transaction: PostgresTransaction) async throws
    {
        _ = try await transaction.execute(
            """
            UPDATE accounts.codes SET used = \(now)
            WHERE user_id = \(user) AND purpose = \(purpose.rawValue) AND used IS NULL
            """)
    }
}
