import AccountsDomain
import Identity
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a token's record says of its user.
struct TokenOwner: Sendable {
    var id: UUID
    var flags: UserFlags
    /// Counts the changes of ``flags``.
    var version: Int64

    /// What ``init(_:)`` reads, of a row of users.
    static let columns: SQL = "id, is_staff, email_verified, phone_verified, payment_verified, token_version"

    init(id: UUID, isStaff: Bool, email: Bool, phone: Bool, payment: Bool, version: Int64) {
        self.id = id
        self.flags = []
        if isStaff { flags.insert(.staff) }
        if email { flags.insert(.emailVerified) }
        if phone { flags.insert(.phoneVerified) }
        if payment { flags.insert(.paymentVerified) }
        self.version = version
    }

    /// - Throws: `PostgresError` when the row has other columns.
    init(_ row: PostgresRow) throws {
        let (id, staff, email, phone, payment, version) = try row.decode((UUID, Bool, Bool, Bool, Bool, Int64).self)
        self.init(id: id, isStaff: staff, email: email, phone: phone, payment: payment, version: version)
    }

    func record(tokenID: Int64, expires: Instant) -> TokenRecord {
        TokenRecord(userID: id, flags: flags, tokenID: tokenID, version: version, expires: expires.seconds)
    }
}
