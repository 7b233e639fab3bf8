import AccountsDomain
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
    /// Sends a code for a new password to a verified address.
    func requestPassword(_ request: ServiceRequest) async throws -> Response {
        try await once(request, endsTokens: false) { try await requestPassword(request, $0) }
    }

    private func requestPassword(_ request: ServiceRequest, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let email = try fields.finish(fields.made("email", EmailAddress.parse))
        let now = now()
        return try await change(attempt) { transaction in
            if let profile = try await owner(of: email, at: now, in: transaction) {
                try await send(.password, to: email.text, user: profile.user, at: now, in: transaction)
            } else if rules.hidesAccounts {
                try await pretendToSend(to: email, at: now, in: transaction)
            } else {
                throw Problem(.notFound, "There is no account with this verified email address.")
            }
            let answer = Response.json { json in
                json.object { $0.field("detail", "A reset code has been sent to your email address.") }
            }
            return .answered(answer, sends: true)
        }
    }

    /// The user whose verified address it is, the row locked.
    private func owner(
        of email: EmailAddress, at now: Instant, in transaction: PostgresTransaction
    ) async throws -> Profile? {
        let rows = try await transaction.execute(
            "SELECT id FROM accounts.users WHERE email = \(email.text) AND email_verified")
        // Looked up by a random id as well, so that there is as much to do when there is nobody.
        let id = try rows.first?.decode(UUID.self) ?? UUID()
        let profile = try await transaction.lockedProfile(id, at: now)
        return profile.flatMap { $0.user.email == email && $0.user.emailVerified ? $0 : nil }
    }

    /// As much work as sending a code is, one row written among it, for an address that is nobody's.
    private func pretendToSend(
        to email: EmailAddress, at now: Instant, in transaction: PostgresTransaction
    ) async throws {
        var generator = SystemRandomNumberGenerator()
        let code = VerificationCode.random(for: .password, using: &generator)
        let nobody = User(
            id: UUID(), firstName: PersonName(stored: "Nobody"), lastName: PersonName(stored: ""), email: email,
            timezone: .standard, registered: now)
        _ = try await transaction.execute(
            """
            UPDATE accounts.codes SET hash = \(codes.hash(code)), selector = \(codes.selector(code))
            WHERE user_id = \(nobody.id) AND purpose = 'password'
            """)
        try await outgoing.addDecoy(message(code, to: email.text, user: nobody), at: now, in: transaction)
    }
}
