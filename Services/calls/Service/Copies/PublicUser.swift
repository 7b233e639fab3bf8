import CallsDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A user as anybody may see it.
struct PublicUser: Sendable, Hashable {
    var id: UUID
    var firstName: String
    var lastName: String
    var profileImage: String?
    var timezone: String
    var created: Instant

    func write(into json: inout JSONWriter) {
        json.field("id", id)
        json.field("first_name", firstName)
        json.field("last_name", lastName)
        json.field("profile_image", profileImage)
        json.field("timezone", timezone)
        json.field("created", microseconds: created.microseconds)
    }
}

/// What accounts tells of a user, in its events, its snapshot and when asked. Only what is read here is named.
struct UserCopy: Sendable, Hashable {
    var user: PublicUser
    var version: Int64

    /// - Throws: `Problem` when a member is missing or of another type.
    init(_ members: [String: JSONValue]) throws(Problem) {
        var fields = Fields(members)
        let id = fields.uuid("id")
        let first = fields.string("first_name")
        let last = fields.string("last_name")
        let image = fields.changedString("profile_image", nullable: true).value
        let timezone = fields.string("timezone")
        let created = fields.instant("created")
        let version = fields.integer("version")
        let values = try fields.finish(id, first, last, timezone, created, version)
        self.user = PublicUser(
            id: values.0, firstName: values.1, lastName: values.2, profileImage: image, timezone: values.3,
            created: Instant(microseconds: values.4.microseconds))
        self.version = values.5
    }
}

extension Fields {
    /// A UUID that must be there.
    mutating func uuid(_ name: String) -> UUID? {
        parsed(name) { UUID(uuidString: $0) }
    }
}
