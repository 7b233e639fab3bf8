import AccountsDomain
import Events
import Hummingbird
import Idempotency
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Accounts {
    /// A user changes what the profile shows. A new address or number waits for its code.
    ///
    /// Whether an address is somebody else's isn't told: it gets its message like any other, and whoever can read that
    /// learns it when the code is given back.
    func changeProfile(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        return try await once(request) { try await changeProfile(request, of: id, $0) }
    }

    private func changeProfile(_ request: ServiceRequest, of id: UUID, _ attempt: Attempt) async throws -> Response {
        let patch = try patch(request)
        let now = now()
        return try await change(attempt) { transaction in
            guard let before = try await transaction.lockedProfile(id, at: now) else { throw Problem.userGone }
            let change = before.user.applying(patch, at: now)
            var changes = TokenChanges(mustBeConfirmed: patch.phone == .clear)
            if change.user != before.user {
                let owner = try await store(change, before: before.user, trace: request.trace, in: transaction)
                if change.losesPrivilege {
                    changes = try await tokens.flagsChanged(of: owner, losing: true, at: now, in: transaction)
                }
            }
            if change.dropsPhoneCode { try await drop(.phone, of: id, at: now, in: transaction) }
            for destination in change.codes {
                switch destination {
                case .email(let address):
                    try await limitResends(channel: "mail", address.text, at: now, in: transaction)
                    try await send(.email, to: address.text, user: change.user, at: now, in: transaction)
                case .phone(let number):
                    try await limitResends(channel: "sms", number.digits, at: now, in: transaction)
                    try await send(.phone, to: number.digits, user: change.user, at: now, in: transaction)
                }
            }
            guard let after = try await transaction.profile(id, at: now) else { throw Problem.userGone }
            return .answered(.profile(after), changes, sends: !change.codes.isEmpty)
        }
    }

    private func patch(_ request: ServiceRequest) throws -> ProfilePatch {
        var fields = try request.fields()
        var patch = ProfilePatch()
        patch.firstName = fields.changedTo("first_name", PersonName.parse).value
        patch.lastName = fields.changedTo("last_name", PersonName.parse).value
        patch.email = fields.changedTo("email", EmailAddress.parse).value
        patch.emailNotifications = fields.changedBool("email_notifications").value
        patch.phone = .init(fields.changedTo("phone", nullable: true, PhoneNumber.parse))
        patch.profileImage = .init(fields.changedTo("profile_image", nullable: true, ImageURL.parse))
        patch.isActive = fields.changedBool("is_active").value
        patch.timezone = fields.changedTo("timezone", zones.zone(named:)).value
        try fields.finish()
        return patch
    }

    /// Writes the user's row, and the events of what others keep a copy of.
    private func store(
        _ change: ProfileChange, before: User, trace: TraceContext, in transaction: PostgresTransaction
    ) async throws -> TokenOwner {
        let user = change.user
        let changesPublicBlock =
            user.firstName != before.firstName || user.lastName != before.lastName
            || user.profileImage != before.profileImage || user.timezone != before.timezone
        let rows = try await transaction.execute(
            """
            UPDATE accounts.users SET
                first_name = \(user.firstName.text), last_name = \(user.lastName.text),
                email_notifications = \(user.emailNotifications), phone = \(user.phone?.digits),
                phone_verified = \(user.phoneVerified), profile_image = \(user.profileImage?.text),
                is_active = \(user.isActive), timezone = \(user.timezone.text), updated = \(user.updated),
                version = version + CASE WHEN \(changesPublicBlock) THEN 1 ELSE 0 END,
                token_version = token_version + CASE WHEN \(change.losesPrivilege) THEN 1 ELSE 0 END
            WHERE id = \(user.id) RETURNING version, \(TokenOwner.columns)
            """)
        guard let row = rows.first else { throw Problem.userGone }
        let version = try row.decode(column: 0, as: Int64.self)
        let owner = try TokenOwner(
            id: user.id, isStaff: row.decode(column: 2), email: row.decode(column: 3), phone: row.decode(column: 4),
            payment: row.decode(column: 5), version: row.decode(column: 6))
        var events: [NewEvent] = []
        if changesPublicBlock { events.append(.userUpdated(PublicUser(user, version: version), trace: trace)) }
        if change.losesPrivilege { events.append(.userVerified(owner, trace: trace)) }
        try await outbox.append(events, in: transaction)
        return owner
    }

    /// Notes that an address or number is about to be sent something, unless that was so a moment ago. Only what a
    /// change of profile asks for counts: an account sends its first message once.
    ///
    /// - Throws: a `Problem` (429).
    private func limitResends(
        channel: String, _ destination: String, at now: Instant, in transaction: PostgresTransaction
    ) async throws {
        guard rules.limitsResends else { return }
        let key = codes.destination(channel: channel, destination)
        let rows = try await transaction.execute(
            """
            INSERT INTO accounts.resends AS r (destination, sent) VALUES (\(key), \(now))
            ON CONFLICT (destination) DO UPDATE SET sent = EXCLUDED.sent
            WHERE r.sent <= \(now.advanced(by: .zero - Lifetimes.resendInterval))
            RETURNING sent
            """)
        guard rows.isEmpty else { return }
        let last = try await transaction.execute("SELECT sent FROM accounts.resends WHERE destination = \(key)")
        let passed = try last.first.map { now.since(try $0.decode(Instant.self)) } ?? .zero
        let wait = (Lifetimes.resendInterval - passed).components
        throw Problem(
            .tooManyRequests, "A code was sent there less than a minute ago.",
            retryAfter: min(max(Int(wait.seconds) + (wait.attoseconds > 0 ? 1 : 0), 1), 60))
    }
}

extension ProfilePatch.Change {
    /// - Returns: nil when the client did not mention the member.
    fileprivate init?(_ change: ServiceKit.Change<Value>) {
        switch change {
        case .unchanged: return nil
        case .cleared: self = .clear
        case .set(let value): self = .set(value)
        }
    }
}
