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
        let rows = try await postgres.read("SELECT \(PublicUser.columns) FROM accounts.users WHERE id = \(id)")
        guard let user = try rows.first.map(PublicUser.init) else { throw Problem(.notFound) }
        return .json { json in
            json.object { user.write(into: &$0) }
        }
    }
}
