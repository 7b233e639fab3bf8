import AccountsDomain
import Events
import Hummingbird
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Accounts {
    /// All users as anybody may see them, a page at a time: what a service with copies of them begins from.
    func users(_ request: ServiceRequest) async throws -> Response {
        let query = try request.query
        let limit = try query.integer("limit", 1...1000) ?? 500
        var after: UUID?
        if let text = query["after"] {
            guard let id = UUID(uuidString: text) else { throw Problem.invalid("after", "This must be a UUID.") }
            after = id
        }
        // Read before the users: what is published from there on tells of every later change of them.
        let head = try await postgres.read("SELECT position FROM accounts.relay_head")
        let position = try head.first?.decode(Int64.self) ?? 0
        let rows = try await postgres.read(
            """
            SELECT \(PublicUser.columns) FROM accounts.users
            WHERE \(after) IS NULL OR id > \(after) ORDER BY id LIMIT \(limit)
            """)
        let page = try rows.map(PublicUser.init)
        let isLast = page.count < Int(limit)
        return SnapshotPage.response(
            position: position, next: isLast ? nil : page.last?.id.uuidString.lowercased()
        ) { json in
            for user in page {
                json.object { user.write(into: &$0) }
            }
        }
    }
}
