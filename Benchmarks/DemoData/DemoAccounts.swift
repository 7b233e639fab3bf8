import Postgres
import ServiceKit

/// Puts users of the demo into the schema of accounts.
struct DemoAccounts {
    let accounts: PostgresClient

    /// No password has this hash: whoever wants to be somebody of the demo asks for a new password, and reads the mail.
    private static let noPassword =
        "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

    func load(_ people: [DemoPerson]) async throws {
        var rows = CopyRows()
        for person in people {
            rows.id(person.id)
            rows.text(person.firstName)
            rows.text(person.lastName)
            rows.text(person.email)
            rows.bool(true)
            rows.text(person.profileImage)
            rows.text(person.timezone)
            rows.text(Self.noPassword)
            rows.time(person.created)
            rows.time(person.created)
            rows.endRow()
        }
        let all = rows
        try await accounts.atOnce { connection in
            try await connection.copy(
                all,
                into: """
                    accounts.users (id, first_name, last_name, email, email_verified, profile_image, timezone,
                        password_hash, created, updated)
                    """)
        }
    }
}
