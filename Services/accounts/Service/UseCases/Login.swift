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
    /// A user proves the password and gets a token.
    func login(_ request: ServiceRequest) async throws -> Response {
        try await once(request, endsTokens: false) { try await login(request, $0) }
    }

    private func login(_ request: ServiceRequest, _ attempt: Attempt) async throws -> Response {
        var fields = try request.fields()
        let (email, password) = try fields.finish(fields.string("email"), fields.string("password"))
        // The password may be changed while its old hash is being computed; then the new one decides.
        for _ in 0..<3 {
            let credentials = try await credentials(email: email)
            guard try await passwords.verify(password, against: credentials?.hash), let credentials else { break }
            let renewed = passwords.isOutdated(credentials.hash) ? try await passwords.hash(password) : nil
            do {
                return try await signIn(credentials, renewed, request.trace, attempt)
            } catch is OutdatedCredentials {}
        }
        throw Problem(.permissionDenied, "The email address or the password is not right.")
    }

    /// Who signs in with an address, and how.
    struct Credentials: Sendable {
        var user: UUID
        var hash: PasswordHash
    }

    private func credentials(email: String) async throws -> Credentials? {
        let rows = try await postgres.read(
            "SELECT id, password_hash FROM accounts.users WHERE email = \(email.lowercased())")
        return try rows.first.flatMap(Self.credentials)
    }

    /// The credentials of a user by id; nil when there is no such user.
    func credentials(user: UUID) async throws -> Credentials? {
        let rows = try await postgres.read("SELECT id, password_hash FROM accounts.users WHERE id = \(user)")
        return try rows.first.flatMap(Self.credentials)
    }

    private static func credentials(_ row: PostgresRow) throws -> Credentials? {
        let (user, text) = try row.decode((UUID, String).self)
        return PasswordHash(text).map { Credentials(user: user, hash: $0) }
    }

    /// The password has changed since its hash was read.
    private struct OutdatedCredentials: Error {}

    /// Hands out a token.
    ///
    /// - Throws: ``OutdatedCredentials``.
    private func signIn(
        _ credentials: Credentials, _ renewed: PasswordHash?, _ trace: TraceContext, _ attempt: Attempt
    ) async throws -> Response {
        let now = now()
        return try await change(attempt) { transaction in
            guard let profile = try await transaction.lockedProfile(credentials.user, at: now),
                let owner = try await owner(of: credentials, in: transaction)
            else { throw OutdatedCredentials() }
            if let renewed {
                _ = try await transaction.execute(
                    "UPDATE accounts.users SET password_hash = \(renewed.text) WHERE id = \(credentials.user)")
            }
            let (token, changes) = try await tokens.issue(to: owner, at: now, trace: trace, in: transaction)
            return .answered(.profile(profile, token: token), changes)
        }
    }

    /// What tokens say of a user whose row the transaction has locked, if the password is still the same.
    func owner(of credentials: Credentials, in transaction: PostgresTransaction) async throws -> TokenOwner? {
        let rows = try await transaction.execute(
            """
            SELECT \(TokenOwner.columns) FROM accounts.users
            WHERE id = \(credentials.user) AND password_hash = \(credentials.hash.text)
            """)
        return try rows.first.map(TokenOwner.init)
    }
}
