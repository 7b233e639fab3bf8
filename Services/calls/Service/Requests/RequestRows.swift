import CallsDomain
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reading requests with their suggestions and the users who made them: one row for each suggestion, one for a request
/// that has none.
enum RequestRows {
    static let columns: SQL = """
        r.id, r.user_id, r.hero_id, r.hero_user_id, r.message, r.estimated_length, r.status, r.reason, r.agreed_time, \
        r.created, r.updated, s.user_id, s.time_one, s.time_two, s.time_three, s.created, \
        u.first_name, u.last_name, u.profile_image, u.timezone, u.created
        """

    /// What `columns` are read from, beside the requests `r`.
    static let joins: SQL = """
        LEFT JOIN calls.suggestions s ON s.request_id = r.id LEFT JOIN calls.users u ON u.id = s.user_id
        """

    static func select(_ id: Int64) -> SQL {
        "SELECT \(columns) FROM calls.requests r \(joins) WHERE r.id = \(id) ORDER BY s.number"
    }

    /// The requests of rows in which those of one request are together, its suggestions oldest first.
    ///
    /// - Parameter offset: columns before ``columns``.
    static func decode(_ rows: PostgresRows, from offset: Int = 0) throws -> [StoredRequest] {
        var requests: [StoredRequest] = []
        var suggestions: [TimeSuggestion] = []
        var people: [UUID: PublicUser] = [:]
        func end(_ row: PostgresRow) throws {
            requests.append(try request(row, offset, suggestions, people))
            suggestions.removeAll(keepingCapacity: true)
            people.removeAll(keepingCapacity: true)
        }
        var last: (id: Int64, row: PostgresRow)?
        for row in rows {
            guard let id = try row.decode(column: offset, as: Int64?.self) else { continue }
            if let last, last.id != id { try end(last.row) }
            last = (id, row)
            guard let by = try row.decode(column: offset + 11, as: UUID?.self) else { continue }
            suggestions.append(try suggestion(row, offset + 12, by))
            if people[by] == nil { people[by] = try user(row, offset + 16, by) }
        }
        if let last { try end(last.row) }
        return requests
    }

    private static func request(
        _ row: PostgresRow, _ offset: Int, _ suggestions: [TimeSuggestion], _ people: [UUID: PublicUser]
    ) throws -> StoredRequest {
        StoredRequest(
            id: try row.decode(column: offset), heroID: try row.decode(column: offset + 2),
            message: try row.decode(column: offset + 4),
            call: CallRequest(
                requester: try row.decode(column: offset + 1), heroOwner: try row.decode(column: offset + 3),
                estimatedLength: try row.decode(column: offset + 5), status: try row.decode(column: offset + 6),
                reason: try row.decode(column: offset + 7), suggestions: suggestions,
                agreedTime: try row.decode(column: offset + 8)),
            created: try row.decode(column: offset + 9), updated: try row.decode(column: offset + 10), people: people)
    }

    private static func suggestion(_ row: PostgresRow, _ offset: Int, _ by: UUID) throws -> TimeSuggestion {
        TimeSuggestion(
            by: by,
            times: SuggestedTimes(
                stored: try row.decode(column: offset), try row.decode(column: offset + 1),
                try row.decode(column: offset + 2)),
            made: try row.decode(column: offset + 3))
    }

    private static func user(_ row: PostgresRow, _ offset: Int, _ id: UUID) throws -> PublicUser? {
        guard let firstName = try row.decode(column: offset, as: String?.self) else { return nil }
        return PublicUser(
            id: id, firstName: firstName, lastName: try row.decode(column: offset + 1),
            profileImage: try row.decode(column: offset + 2), timezone: try row.decode(column: offset + 3),
            created: try row.decode(column: offset + 4))
    }
}
