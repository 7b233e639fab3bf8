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
    /// A person becomes a user, signed in, with an address to be verified.
    func register(_ request: ServiceRequest) async throws -> Response {
        try await once(request, endsTokens: false) { try await register(request, $0) }
    }

    private func register(_ request: ServiceRequest, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let (firstName, lastName, email, password, timezone) = try fields.finish(
            fields.made("first_name", PersonName.parse), fields.made("last_name", PersonName.parse),
            fields.made("email", EmailAddress.parse), fields.made("password", Password.parse),
            fields.contains("timezone") ? fields.made("timezone", zones.zone(named:)) : .standard)

        let hash = try await passwords.hash(password.secret)
        let now = now()
        let user = User(
            id: UUID(), firstName: firstName, lastName: lastName, email: email, timezone: timezone, registered: now)
        do {
            return try await change(attempt) { transaction in
                _ = try await transaction.execute(
                    """
                    INSERT INTO accounts.users
                        (id, first_name, last_name, email, timezone, password_hash, created, updated)
                    VALUES (\(user.id), \(firstName.text), \(lastName.text), \(email.text), \(timezone.text),
                        \(hash.text), \(now), \(now))
                    """)
                let shown = PublicUser(user, version: 1)
                try await outbox.append(.userRegistered(shown, trace: request.trace), in: transaction)
                try await send(.email, to: email.text, user: user, at: now, in: transaction)
                let owner = TokenOwner(
                    id: user.id, isStaff: false, email: false, phone: false, payment: false, version: 1)
                // The first token of a user pushes no other out.
                let (token, _) = try await tokens.issue(to: owner, at: now, trace: request.trace, in: transaction)
                guard let profile = try await transaction.profile(user.id, at: now) else { throw Problem.userGone }
                return .answered(.profile(profile, token: token, .created), sends: true)
            }
        } catch let error as PostgresError where error.constraint == "users_email_unique" {
            throw Problem.emailTaken
        }
    }
}
