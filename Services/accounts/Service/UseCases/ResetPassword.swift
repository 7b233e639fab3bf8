import AccountsDomain
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

extension Accounts {
    /// Whoever has the code sets a new password and is signed in; every token issued before ends.
    func resetPassword(_ request: ServiceRequest) async throws -> Response {
        // It ends the token that it may have come with: whoever asks again is nobody.
        try await once(request, by: .anonymous) { try await resetPassword(request, $0) }
    }

    private func resetPassword(_ request: ServiceRequest, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let (code, password) = try fields.finish(
            fields.code(.password), fields.made("new_password", Password.parse))

        // Nobody computes a hash for a code that is wrong. Whether this one is still good is decided below.
        guard let id = try await user(with: code, at: now()) else {
            try await countWrongTry(code, at: now())
            throw Problem.noSuchCode
        }
        let hash = try await passwords.hash(password.secret)
        let now = now()
        return try await change(attempt) { transaction in
            guard let profile = try await transaction.lockedProfile(id, at: now),
                try await use(code, of: id, at: now, in: transaction) != nil
            else { return .refused(.noSuchCode) }
            let rows = try await transaction.execute(
                """
                UPDATE accounts.users SET password_hash = \(hash.text) WHERE id = \(id)
                RETURNING \(TokenOwner.columns)
                """)
            guard let owner = try rows.first.map(TokenOwner.init) else { throw Problem.userGone }
            var changes = try await tokens.revokeAll(of: id, at: now, trace: request.trace, in: transaction)
            let (token, more) = try await tokens.issue(to: owner, at: now, trace: request.trace, in: transaction)
            changes.append(more)
            return .answered(.profile(profile, token: token), changes)
        }
    }

    private func user(with code: VerificationCode, at now: Instant) async throws -> UUID? {
        let rows = try await postgres.read(
            """
            SELECT user_id FROM accounts.codes
            WHERE purpose = 'password' AND hash = \(codes.hash(code)) AND used IS NULL
                AND tries < \(VerificationCode.maximumTries) AND expires > \(now)
            """)
        return try rows.first?.decode(UUID.self)
    }

    /// Counts against the live codes that begin the same way: of a code that somebody guesses at, the last four
    /// characters can be tried five times.
    private func countWrongTry(_ code: VerificationCode, at now: Instant) async throws {
        _ = try await postgres.execute(
            """
            UPDATE accounts.codes SET tries = tries + 1
            WHERE purpose = 'password' AND selector = \(codes.selector(code)) AND used IS NULL
                AND tries < \(VerificationCode.maximumTries) AND expires > \(now)
            """)
    }
}
