import Events
import Hummingbird
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Heroes {
    /// Ids, owners and rates of all heroes, page by page, for services that keep copies.
    func snapshot(_ request: ServiceRequest) async throws -> Response {
        let query = try request.query
        let after = try query.integer("after", 0...Int64.max) ?? 0
        let limit = try query.integer("limit", 1...1000) ?? 500
        // Before the items: what they hold is at least as new.
        let position = try await outbox.position(postgres)
        let rows = try await postgres.read(
            """
            SELECT id, user_id, state = 'accepted', rate_in_cents, version FROM heroes.heroes
            WHERE id > \(after) ORDER BY id LIMIT \(limit)
            """
        ).decode((Int64, UUID, Bool, Int64, Int64).self)
        let isLast = rows.count < limit
        return SnapshotPage.response(position: position, next: isLast ? nil : rows.last.map { String($0.0) }) { json in
            for row in rows {
                json.object { Self.write(row, into: &$0) }
            }
        }
    }

    /// One hero, for services that have not heard of it yet.
    func snapshotOfOne(_ request: ServiceRequest) async throws -> Response {
        let id = try request.id()
        let rows = try await postgres.read(
            """
            SELECT id, user_id, state = 'accepted', rate_in_cents, version FROM heroes.heroes WHERE id = \(id)
            """
        ).decode((Int64, UUID, Bool, Int64, Int64).self)
        guard let row = rows.first else { throw Problem(.notFound) }
        return .json { json in
            json.object { Self.write(row, into: &$0) }
        }
    }

    private static func write(
        _ row: (id: Int64, user: UUID, accepted: Bool, rate: Int64, version: Int64), into json: inout JSONWriter
    ) {
        json.field("id", row.id)
        json.field("user", row.user)
        json.field("accepted", row.accepted)
        json.field("rate_in_cents", row.rate)
        json.field("version", row.version)
    }
}
