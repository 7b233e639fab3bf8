import CallsDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The public block of the users that calls shows, kept from the events of accounts.
struct UserCopies: Sendable {
    let postgres: PostgresClient
    let accounts: InternalClient
    let asked = SingleFlight<UUID, PublicUser?>(most: 64)
    /// How long an owner may take to answer.
    private let patience: Duration

    init(postgres: PostgresClient, accounts: InternalClient, patience: Duration = .seconds(1)) {
        self.postgres = postgres
        self.accounts = accounts
        self.patience = patience
    }

    /// Asks accounts for a user whose event has not arrived yet, and keeps what it says. Never inside a transaction.
    ///
    /// - Returns: nil for a user that accounts does not know.
    /// - Throws: `UnavailableError` while accounts is away.
    @discardableResult
    func ask(for id: UUID, trace: TraceContext) async throws -> PublicUser? {
        do {
            return try await asked.value(for: id) { try await fetch(id, trace: trace) }
        } catch is SingleFlight<UUID, PublicUser?>.Full {
            throw Problem.unavailable()
        }
    }

    private func fetch(_ id: UUID, trace: TraceContext) async throws -> PublicUser? {
        let answer = try await accounts.get(
            "/internal/v1/users/\(id.uuidString.lowercased())/public", trace: trace, deadline: patience)
        switch answer.status {
        case 200:
            let copy = try answer.copy(from: "accounts", UserCopy.init)
            try await postgres.execute(Self.storing([copy]))
            return copy.user
        case 404: return nil
        default: throw Problem.unavailable()
        }
    }

    /// The copy of a user, or what accounts says while there is none. Never inside a transaction.
    ///
    /// - Throws: `UnavailableError` when accounts had to be asked and is away, and for a user that it does not know: it
    ///   vouched for the token, so it will.
    func user(_ id: UUID, trace: TraceContext) async throws -> PublicUser {
        let rows = try await postgres.read(
            "SELECT first_name, last_name, profile_image, timezone, created FROM calls.users WHERE id = \(id)")
        if let row = try rows.first?.decode((String, String, String?, String, Instant).self) {
            return PublicUser(
                id: id, firstName: row.0, lastName: row.1, profileImage: row.2, timezone: row.3, created: row.4)
        }
        guard let user = try await ask(for: id, trace: trace) else { throw Problem.unavailable() }
        return user
    }

    /// Stores copies unless what is there is as new.
    static func storing(_ copies: [UserCopy]) -> SQL {
        // The order keeps two who store the same users from waiting for each other.
        let copies = copies.sorted { $0.user.id.uuidString < $1.user.id.uuidString }
        let created = copies.map { Timestamp(microseconds: $0.user.created.microseconds) }
        return """
            INSERT INTO calls.users AS copy (id, first_name, last_name, profile_image, timezone, created, version)
            SELECT u.id, u.first_name, u.last_name, CASE WHEN u.has_image THEN u.image END, u.timezone, u.created, u.version
            FROM unnest(\(copies.map(\.user.id))::uuid[], \(copies.map(\.user.firstName))::text[],
                \(copies.map(\.user.lastName))::text[], \(copies.map { $0.user.profileImage != nil })::bool[],
                \(copies.map { $0.user.profileImage ?? "" })::text[], \(copies.map(\.user.timezone))::text[],
                \(created)::timestamptz[], \(copies.map(\.version))::bigint[])
                AS u (id, first_name, last_name, has_image, image, timezone, created, version)
            ON CONFLICT (id) DO UPDATE SET first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name,
                profile_image = EXCLUDED.profile_image, timezone = EXCLUDED.timezone, created = EXCLUDED.created,
                version = EXCLUDED.version
            WHERE EXCLUDED.version > copy.version
            """
    }
}
