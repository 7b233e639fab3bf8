import AccountsDomain
import Hummingbird
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Accounts {
    /// A user gives a form of payment. What the provider can't say at once it tells later; the profile then shows
    /// `payment_verified` as it is until it has.
    func attachPaymentMethod(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        var fields = try request.fields()
        let method = try fields.finish(fields.parsed("payment_method", "This is no payment method.", Self.methodName))

        let attempt = PaymentAttempt(id: UUID(), user: id, customer: try await customer(of: id), method: method)
        try await begin(attempt, at: now())
        let outcome = try await payments.verify(attempt)
        let now = now()
        let (profile, changes) = try await postgres.withTransaction { transaction in
            guard try await transaction.lockedProfile(id, at: now) != nil else { throw Problem.userGone }
            let changes = try await settle(attempt, outcome, at: now, in: transaction)
            guard let profile = try await transaction.profile(id, at: now) else { throw Problem.userGone }
            return (profile, changes)
        }
        try await tokens.settle(changes)
        switch outcome {
        case .verified, .pending: return .profile(profile)
        case .declined: throw Problem(.paymentDeclined)
        case .unknownMethod: throw Problem.invalid("payment_method", "There is no such payment method.")
        }
    }

    /// The names that providers give: nothing in them means anything in a URL.
    private static func methodName(_ text: String) -> String? {
        let isName = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        }
        return isName && (1...255).contains(text.utf8.count) ? text : nil
    }

    /// The provider's name for a user, asked for once.
    private func customer(of id: UUID) async throws -> String? {
        let rows = try await postgres.read("SELECT payment_customer FROM accounts.users WHERE id = \(id)")
        guard let row = rows.first else { throw Problem.userGone }
        if let known = try row.decode(String?.self) { return known }
        guard let customer = try await payments.customer(id) else { return nil }
        _ = try await postgres.execute(
            "UPDATE accounts.users SET payment_customer = \(customer) WHERE id = \(id) AND payment_customer IS NULL")
        return customer
    }

    /// Notes an attempt before the provider hears of it. The last wish counts.
    private func begin(_ attempt: PaymentAttempt, at now: Instant) async throws {
        try await postgres.withTransaction { transaction in
            guard try await transaction.lockedProfile(attempt.user, at: now) != nil else { throw Problem.userGone }
            try await supersede(attempt.user, at: now, in: transaction)
            _ = try await transaction.execute(
                """
                INSERT INTO accounts.payment_attempts (id, user_id, provider, method, state, created, updated)
                VALUES (\(attempt.id), \(attempt.user), \(payments.name), \(attempt.method), 'pending', \(now), \(now))
                """)
        }
    }

    private func supersede(_ user: UUID, at now: Instant, in transaction: PostgresTransaction) async throws {
        _ = try await transaction.execute(
            """
            UPDATE accounts.payment_attempts SET state = 'superseded', updated = \(now)
            WHERE user_id = \(user) AND state IN ('pending', 'failed')
            """)
    }

    /// Writes down what came of an attempt, unless the user has wished for something else since. The transaction has
    /// locked the user's row.
    func settle(
        _ attempt: PaymentAttempt, _ outcome: PaymentOutcome, at now: Instant, in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let (state, intent): (String, String?) =
            switch outcome {
            case .verified(let intent): ("succeeded", intent)
            case .pending(let intent): ("pending", intent)
            case .declined(let intent): ("failed", intent)
            case .unknownMethod: ("failed", nil)
            }
        // The provider's own message may have come first: what has succeeded stays so.
        let rows = try await transaction.execute(
            """
            UPDATE accounts.payment_attempts
            SET state = \(state), intent = COALESCE(\(intent), intent), updated = \(now)
            WHERE id = \(attempt.id) AND state IN ('pending', 'failed')
            """)
        guard rows.affected == 1, state == "succeeded" else { return .none }
        _ = try await transaction.execute(
            """
            INSERT INTO accounts.payment_methods (user_id, provider, method, verified)
            VALUES (\(attempt.user), \(payments.name), \(attempt.method), \(now))
            ON CONFLICT (user_id) DO UPDATE SET provider = EXCLUDED.provider, method = EXCLUDED.method,
                verified = EXCLUDED.verified
            """)
        return try await setPaymentVerified(true, user: attempt.user, at: now, in: transaction)
    }

    private func setPaymentVerified(
        _ isVerified: Bool, user: UUID, at now: Instant, in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let rows = try await transaction.execute(
            """
            UPDATE accounts.users
            SET payment_verified = \(isVerified), updated = \(now), token_version = token_version + 1
            WHERE id = \(user) AND payment_verified <> \(isVerified) RETURNING \(TokenOwner.columns)
            """)
        guard let owner = try rows.first.map(TokenOwner.init) else { return .none }
        return try await tokens.flagsChanged(of: owner, losing: !isVerified, at: now, in: transaction)
    }

    /// A user takes the form of payment back; what is still being checked counts no more.
    func removePaymentMethod(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        let now = now()
        let (method, changes) = try await postgres.withTransaction { transaction -> (String?, TokenChanges) in
            guard try await transaction.lockedProfile(id, at: now) != nil else { throw Problem.userGone }
            try await supersede(id, at: now, in: transaction)
            let rows = try await transaction.execute(
                "DELETE FROM accounts.payment_methods WHERE user_id = \(id) RETURNING method, provider")
            let (method, provider) = try rows.first?.decode((String, String).self) ?? ("", "")
            let changes = try await setPaymentVerified(false, user: id, at: now, in: transaction)
            return (provider == payments.name ? method : nil, changes)
        }
        if let method {
            do {
                try await payments.forget(method)
            } catch {
                // Nothing of ours refers to it any more; it only stays in the provider's list.
                request.logger.warning("payment method not detached", metadata: ["error": "\(type(of: error))"])
            }
        }
        try await tokens.settle(changes)
        return .empty(.noContent)
    }

    /// The provider tells what it couldn't say at once. It tells again until it hears 200; each event counts once.
    func paymentEvent(_ request: ServiceRequest) async throws -> Response {
        let now = now()
        let body = Array(request.body.readableBytesView)
        guard let event = try payments.event(body, request.head.headerFields[values: .stripeSignature].first, now)
        else { return .empty() }
        let changes = try await postgres.withTransaction { transaction -> TokenChanges in
            let new = try await transaction.execute(
                """
                INSERT INTO accounts.payment_events (id, received) VALUES (\(event.id), \(now))
                ON CONFLICT (id) DO NOTHING
                """)
            guard new.affected == 1 else { return .none }
            return try await apply(event, at: now, in: transaction)
        }
        // A second telling would find nothing left to do: what Redis has not heard stays queued here.
        var unhurried = changes
        unhurried.mustBeConfirmed = false
        try await tokens.settle(unhurried)
        return .empty()
    }

    private func apply(
        _ event: PaymentEvent, at now: Instant, in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        if case .detached(let method) = event.kind {
            let rows = try await transaction.execute(
                """
                SELECT user_id FROM accounts.payment_methods
                WHERE method = \(method) AND provider = \(payments.name)
                """)
            guard let user = try rows.first?.decode(UUID.self),
                try await transaction.lockedProfile(user, at: now) != nil
            else { return .none }
            let gone = try await transaction.execute(
                "DELETE FROM accounts.payment_methods WHERE user_id = \(user) AND method = \(method)")
            guard gone.affected == 1 else { return .none }
            return try await setPaymentVerified(false, user: user, at: now, in: transaction)
        }
        let rows = try await transaction.execute(
            """
            SELECT id, user_id, method FROM accounts.payment_attempts
            WHERE provider = \(payments.name) AND (intent = \(event.intent) OR id = \(event.attempt))
            ORDER BY created DESC LIMIT 1
            """)
        guard let (id, user, method) = try rows.first?.decode((UUID, UUID, String).self),
            try await transaction.lockedProfile(user, at: now) != nil
        else { return .none }
        let attempt = PaymentAttempt(id: id, user: user, customer: nil, method: method)
        let outcome: PaymentOutcome =
            event.kind == .succeeded ? .verified(intent: event.intent) : .declined(intent: event.intent)
        return try await settle(attempt, outcome, at: now, in: transaction)
    }
}
