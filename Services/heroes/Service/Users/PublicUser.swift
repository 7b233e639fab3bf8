import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A user as anybody may see it: what accounts publishes of each.
struct PublicUser: Sendable, Hashable {
    var id: UUID
    var firstName: String
    var lastName: String
    var profileImage: String?
    var timezone: String
    var created: Timestamp
    /// Tells a newer block from an older one.
    var version: Int64

    /// Writes the members of the block, and no others: the reference says exactly which.
    func write(into json: inout JSONWriter) {
        json.field("id", id)
        json.field("first_name", firstName)
        json.field("last_name", lastName)
        json.field("profile_image", profileImage)
        json.field("timezone", timezone)
        json.field("created", created)
    }
}

extension PublicUser {
    /// What accounts answers and publishes: the members of the block and `version`.
    ///
    /// - Throws: `Problem` that names the members that are not as agreed.
    init(_ members: [String: JSONValue]) throws(Problem) {
        var fields = Fields(members)
        let id = fields.parsed("id") { UUID(uuidString: $0) }
        let firstName = fields.string("first_name")
        let lastName = fields.string("last_name")
        let image = fields.changedString("profile_image", nullable: true)
        let timezone = fields.string("timezone")
        let created = fields.instant("created")
        let version = fields.integer("version")
        let values = try fields.finish(id, firstName, lastName, timezone, created, version)
        self.init(
            id: values.0, firstName: values.1, lastName: values.2, profileImage: image.value, timezone: values.3,
            created: values.4, version: values.5)
    }

    /// What ``init(_:)-(ColumnReader)`` reads, of `heroes.users u`.
    static let columns: SQL =
        "u.id, u.first_name, u.last_name, u.profile_image, u.timezone, u.created, u.version"

    /// - Throws: `PostgresError` with code `decoding`.
    init(_ columns: inout ColumnReader) throws {
        self.init(
            id: try columns.next(), firstName: try columns.next(), lastName: try columns.next(),
            profileImage: try columns.next(), timezone: try columns.next(), created: try columns.next(),
            version: try columns.next())
    }
}
