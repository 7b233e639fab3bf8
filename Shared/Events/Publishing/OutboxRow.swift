import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A row of an outbox that has its position, on its way to a reader. The data stays the text it is.
struct OutboxRow: Sendable {
    /// What ``init(_:from:source:)`` reads, of a table called `o`.
    static let columns = "o.position, o.event_id, o.type, o.subject, o.recipients, o.time, o.traceparent, o.data"

    var attributes: Event.Attributes
    var data: String

    /// - Parameters:
    ///   - row: with ``columns``.
    ///   - first: the place of the first of them.
    /// - Throws: `PostgresError` of code `decoding`.
    init(_ row: PostgresRow, from first: Int = 0, source: String) throws {
        attributes = Event.Attributes(
            position: try row.decode(column: first), id: try row.decode(column: first + 1), source: source,
            type: try row.decode(column: first + 2), subject: try row.decode(column: first + 3),
            recipients: try row.decode(column: first + 4), time: try row.decode(column: first + 5),
            traceparent: try row.decode(column: first + 6))
        data = try row.decode(column: first + 7)
    }

    func write(into json: inout JSONWriter) {
        attributes.write(into: &json) { $0.field("data", rawJSON: data.utf8) }
    }
}
