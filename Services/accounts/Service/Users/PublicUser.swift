import AccountsDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A user as anybody may see it, with the number that tells a newer copy from an older one.
///
/// What the internal route answers, what a page of the snapshot lists and what the events hold is this, written once.
struct PublicUser: Sendable, Hashable {
    var id: UUID
    var firstName: String
    var lastName: String
    var profileImage: String?
    var timezone: String
    var created: Instant
    /// Goes up with every change of the rest.
    var version: Int64

    /// What ``init(_:)-(PostgresRow)`` reads, of a row of users.
    static let columns: SQL = "id, first_name, last_name, profile_image, timezone, created, version"

    init(_ user: User, version: Int64) {
        self.id = user.id
        self.firstName = user.firstName.text
        self.lastName = user.lastName.text
        self.profileImage = user.profileImage?.text
        self.timezone = user.timezone.text
        self.created = user.created
        self.version = version
    }

    /// - Throws: `PostgresError` when the row has other columns.
    init(_ row: PostgresRow) throws {
        (id, firstName, lastName, profileImage, timezone, created, version) = try row.decode(
            (UUID, String, String, String?, String, Instant, Int64).self)
    }

    /// Writes the members of the block.
    func write(into json: inout JSONWriter) {
        json.field("id", id)
        json.field("first_name", firstName)
        json.field("last_name", lastName)
        json.field("profile_image", profileImage)
        json.field("timezone", timezone)
        json.field("created", microseconds: created.microseconds)
        json.field("version", version)
    }
}
