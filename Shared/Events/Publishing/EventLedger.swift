import Hummingbird
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Lets other services read what this one has published: `GET /internal/v1/events?after=<position>&limit=<n>`.
///
/// The answer is that of ``EventPage``; `limit` is 1 to 1000, 500 when left out. A query that won't do is answered 400.
public struct EventLedger: Sendable {
    let outbox: Outbox
    let postgres: PostgresClient
    /// Bytes of events after which a page ends, whatever was asked for.
    var pageBytes = 512 * 1024

    public init(_ outbox: Outbox, postgres: PostgresClient) {
        self.outbox = outbox
        self.postgres = postgres
    }

    /// - Parameter readers: the names of the processes that may read it.
    public func route(for readers: Set<String>) -> Route {
        Route(.get, "/internal/v1/events", access: .service(readers)) { request in
            let query = try request.query
            let after = try query.integer("after", 0...(.max - 1)) ?? 0
            let limit = try query.integer("limit", 1...1000) ?? 500
            return try await page(after: after, limit: limit)
        }
    }

    private func page(after: Int64, limit: Int64) async throws -> Response {
        let schema = outbox.schema
        // One statement, so that all of it is of one moment. The limit, which is a number, is part of the text: for one
        // unknown the planner reckons with a tenth of the table, and compiles (JIT) for a quarter of a second what
        // takes a millisecond.
        let rows = try await postgres.read(
            """
            SELECT head.position, \
                coalesce((SELECT min(position) FROM \(unsafeRaw: schema).outbox), head.position + 1), \
                (SELECT event_id FROM \(unsafeRaw: schema).outbox WHERE position = \(after)), \
                \(unsafeRaw: OutboxRow.columns) \
            FROM \(unsafeRaw: schema).relay_head head LEFT JOIN LATERAL ( \
                SELECT * FROM \(unsafeRaw: schema).outbox \
                WHERE position > \(after) ORDER BY position LIMIT \(unsafeRaw: "\(limit)")) o ON true \
            ORDER BY o.position
            """)
        guard let first = rows.first else { throw PostgresError(.decoding, "relay_head has no row") }
        let head = try first.decode(column: 0, as: Int64.self)
        let oldest = try first.decode(column: 1, as: Int64.self)
        let isPruned = after < oldest - 1
        return try .json(capacity: 64 * 1024) { json in
            try json.object { json in
                json.field("head", head)
                json.field("oldest", oldest)
                json.field("pruned", isPruned)
                json.field("last", try first.decode(column: 2, as: UUID?.self))
                try json.array("events") { json in
                    guard !isPruned, try first.decode(column: 3, as: Int64?.self) != nil else { return }
                    for row in rows {
                        try OutboxRow(row, from: 3, source: outbox.service).write(into: &json)
                        if json.buffer.readableBytes > pageBytes { return }
                    }
                }
            }
        }
    }
}
