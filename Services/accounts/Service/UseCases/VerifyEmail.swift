import AccountsDomain
import Events
import Hummingbird
import Idempotency
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Accounts {
    /// A code shows that mail to an address arrives; the address becomes the user's.
    ///
    /// An address that is somebody's by now is a conflict, which the database finds; the code then stays unused.
    func verifyEmail(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        return try await once(request, endsTokens: false) { try await verifyEmail(request, of: id, $0) }
    }

    private func verifyEmail(_ request: ServiceRequest, of id: UUID, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let code = try fields.finish(fields.code(.email))
        let now = now()
        do {
            return try await change(attempt) { transaction in
                guard let before = try await transaction.lockedProfile(id, at: now) else { throw Problem.userGone }
                // A wrong try counts.
                guard let address = try await use(code, of: id, at: now, in: transaction) else {
                    return .refused(.noSuchCode)
                }
                let changes = try await take(
                    EmailAddress(stored: address), for: before.user, at: now, trace: request.trace, in: transaction)
                guard let profile = try await transaction.profile(id, at: now) else { throw Problem.userGone }
                return .answered(.profile(profile), changes, sends: true)
            }
        } catch let error as PostgresError where error.constraint == "users_email_unique" {
            throw Problem.emailTaken
        }
    }

    private func take(
        _ address: EmailAddress, for user: User, at now: Instant, trace: TraceContext,
        in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let rows = try await transaction.execute(
            """
            UPDATE accounts.users SET email = \(address.text), email_verified = true, updated = \(now),
                token_version = token_version + CASE WHEN email_verified THEN 0 ELSE 1 END
            WHERE id = \(user.id) RETURNING \(TokenOwner.columns)
            """)
        guard let owner = try rows.first.map(TokenOwner.init) else { throw Problem.userGone }
        if address != user.email {
            try await outgoing.add(
                Message(kind: .emailChanged, to: user.email.text, name: user.firstName.text, code: nil), to: user.id,
                at: now, in: transaction)
            // Whoever reads the old address no longer sets this account's password.
            try await drop(.password, of: user.id, at: now, in: transaction)
        }
        if user.emailVerified { return .none }
        try await outbox.append(.userVerified(owner, trace: trace), in: transaction)
        try await tokens.prolong(tokensOf: user.id, at: now, in: transaction)
        return try await tokens.flagsChanged(of: owner, losing: false, at: now, in: transaction)
    }
}
