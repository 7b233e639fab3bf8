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
    /// A code shows that an SMS to a number arrives; the number becomes the user's.
    func verifyPhone(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        return try await once(request, endsTokens: false) { try await verifyPhone(request, of: id, $0) }
    }

    private func verifyPhone(_ request: ServiceRequest, of id: UUID, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let code = try fields.finish(fields.code(.phone))
        let now = now()
        return try await change(attempt) { transaction in
            guard let before = try await transaction.lockedProfile(id, at: now) else { throw Problem.userGone }
            guard let number = try await use(code, of: id, at: now, in: transaction) else {
                return .refused(.noSuchCode)
            }
            let rows = try await transaction.execute(
                """
                UPDATE accounts.users SET phone = \(number), phone_verified = true, updated = \(now),
                    token_version = token_version + CASE WHEN phone_verified THEN 0 ELSE 1 END
                WHERE id = \(id) RETURNING \(TokenOwner.columns)
                """)
            guard let owner = try rows.first.map(TokenOwner.init),
                let profile = try await transaction.profile(id, at: now)
            else { throw Problem.userGone }
            if before.user.phoneVerified { return .answered(.profile(profile)) }
            try await outbox.append(.userVerified(owner, trace: request.trace), in: transaction)
            let changes = try await tokens.flagsChanged(of: owner, losing: false, at: now, in: transaction)
            return .answered(.profile(profile), changes)
        }
    }
}
