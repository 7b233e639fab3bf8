import AccountsDomain
import Hummingbird
import Idempotency
import Identity
import Postgres
import ServiceKit

extension Accounts {
    /// A user who knows the old password sets a new one. All other tokens end; the one of this request stays.
    func changePassword(_ request: ServiceRequest) async throws -> Response {
        let user = try request.user
        return try await once(request) { try await changePassword(request, of: user, $0) }
    }

    private func changePassword(
        _ request: ServiceRequest, of user: Claims.User, _ attempt: Attempt
    ) async throws -> Response {
        var fields = try request.fields()
        let (old, new) = try fields.finish(
            fields.made("old_password", Password.parse), fields.made("new_password", Password.parse))

        guard let credentials = try await credentials(user: user.id) else { throw Problem.userGone }
        let wrong = Problem.invalid("old_password", "This is not your password.")
        guard try await passwords.verify(old.secret, against: credentials.hash) else { throw wrong }
        let hash = try await passwords.hash(new.secret)

        let now = now()
        return try await change(attempt) { transaction in
            // Of two changes at once, the one that comes second no longer has the right old password.
            let rows = try await transaction.execute(
                """
                UPDATE accounts.users SET password_hash = \(hash.text)
                WHERE id = \(user.id) AND password_hash = \(credentials.hash.text)
                """)
            guard rows.affected == 1 else { throw wrong }
            try await drop(.password, of: user.id, at: now, in: transaction)
            let changes = try await tokens.revokeAll(
                of: user.id, except: user.tokenID, at: now, trace: request.trace, in: transaction)
            return .answered(.empty(), changes)
        }
    }
}
