import AccountsDomain
import Hummingbird
import Identity
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Accounts {
    /// What a token stands for, for the gateway.
    func token(_ request: ServiceRequest) async throws -> Response {
        guard let hash = TokenHash(hex: try request.segment("hash")),
            let record = try await tokens.record(of: hash, at: now(), in: postgres)
        else { throw Problem(.notFound) }
        return .text(.ok, record.text)
    }

    /// A user as the user sees it, for services that show somebody their own.
    func user(_ request: ServiceRequest) async throws -> Response {
        let rows = try await postgres.read(ProfileRows.select(try request.uuid("id"), at: now()))
        guard let profile = try rows.first.map(ProfileRows.decode) else { throw Problem(.notFound) }
        return .profile(profile)
    }

    /// A user as anybody may see it, with the number that tells a newer copy from an older one.
    func publicUser(_ request: ServiceRequest) async throws -> Response {
        let id = try request.uuid("id")
        let rows = try await postgres.read(
            """
            SELECT id, first_name, last_name, profile_image, timezone, created, version
            FROM accounts.users WHERE id = \(id)
            """)
        guard let row = rows.first else { throw Problem(.notFound) }
        let (user, firstName, lastName, image, timezone, created, version) = try row.decode(
            (UUID, String, String, String?, String, Instant, Int64).self)
        return .json { json in
            json.object { json in
                json.field("id", user)
                json.field("first_name", firstName)
                json.field("last_name", lastName)
                json.field("profile_image", image)
                json.field("timezone", timezone)
                json.field("created", microseconds: created.microseconds)
                json.field("version", version)
            }
        }
    }
}
