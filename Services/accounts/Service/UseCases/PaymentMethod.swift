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
    /// A user gives a form of payment. What the provider can't say at once it tells later; the profile then shows
    /// `payment_verified` as it is until it has.
    func attachPaymentMethod(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        return try await once(request, endsTokens: false) { try await attachPaymentMethod(request, of: id, $0) }
    }

    /// The provider is asked outside of any transaction; that the tries of a request with a key are one attempt for it,
    /// whatever ends one of them midway, is what keeps it to one effect there.
    private func attachPaymentMethod(
        _ request: ServiceRequest, of id: UUID, _ keyed: Attempt
    ) async throws -> Response {
        var fields = try request.fields()
        let method = try fields.finish(
            fields.parsed("payment_method", "This is no payment method.") { PaymentMethodName.isValid($0) ? $0 : nil })

        let attempt = try await begin(
            PaymentAttempt(id: keyed.id ?? UUID(), userID: id, method: method, customer: try await customer(of: id)),
            at: now())
        let outcome = try await payments.confirm(attempt)
        let now = now()
        return try await change(keyed) { transaction in
            guard try await transaction.lockedProfile(id, at: now) != nil else { throw Problem.userGone }
            let changes = try await settle(attempt, outcome, at: now, trace: request.trace, in: transaction)
            guard let profile = try await transaction.profile(id, at: now) else { throw Problem.userGone }
            switch outcome {
            case .confirmed, .pending: return .answered(.profile(profile), changes)
            case .declined: return .refused(Problem(.paymentDeclined))
            case .unknownMethod:
                return .refused(Problem.invalid("payment_method", "There is no such payment method."))
            }
        }
    }

    /// The provider's name for a user, if it has given one.
    private func customer(of id: UUID) async throws -> String? {
        let rows = try await postgres.read("SELECT payment_customer FROM accounts.users WHERE id = \(id)")
        guard let row = rows.first else { throw Problem.userGone }
        return try row.decode(String?.self)
    }

    /// Notes an attempt before the provider hears of it. The last wish counts; one that was noted before, by an earlier
    /// try of its request, is no new one.
    ///
    /// - Returns: the attempt, under another id when its own is that of a request whose key is forgotten by now.
    /// - Throws: a `Problem` (422) when the key came with another method before.
    private func begin(_ attempt: PaymentAttempt, at now: Instant) async throws -> PaymentAttempt {
        try await postgres.withTransaction { transaction in
            guard try await transaction.lockedProfile(attempt.userID, at: now) != nil else { throw Problem.userGone }
            var attempt = attempt
            let noted = try await transaction.execute(
                "SELECT method, created FROM accounts.payment_attempts WHERE id = \(attempt.id)")
            if let (method, created) = try noted.first?.decode((String, Instant).self) {
                if now.since(created) < Idempotency.lifetime {
                    guard method == attempt.method else { throw Problem(.idempotencyKeyReused) }
                    return attempt
                }
                attempt.id = UUID()
            }
            try await supersede(attempt.userID, at: now, in: transaction)
            _ = try await transaction.execute(
                """
                INSERT INTO accounts.payment_attempts (id, user_id, provider, method, state, created, updated)
                VALUES (\(attempt.id), \(attempt.userID), \(payments.name), \(attempt.method), 'pending', \(now), \(now))
                """)
            return attempt
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
        _ attempt: PaymentAttempt, _ outcome: PaymentOutcome, at now: Instant, trace: TraceContext,
        in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let (state, intent, customer): (String, String?, String?) =
            switch outcome {
            case .confirmed(let customer, let intent): ("succeeded", intent, customer)
            case .pending(let customer, let intent): ("pending", intent, customer)
            case .declined, .unknownMethod: ("failed", nil, nil)
            }
        if let customer {
            _ = try await transaction.execute(
                "UPDATE accounts.users SET payment_customer = \(customer) WHERE id = \(attempt.userID)")
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
            VALUES (\(attempt.userID), \(payments.name), \(attempt.method), \(now))
            ON CONFLICT (user_id) DO UPDATE SET provider = EXCLUDED.provider, method = EXCLUDED.method,
                verified = EXCLUDED.verified
            """)
        return try await setPaymentVerified(true, user: attempt.userID, at: now, trace: trace, in: transaction)
    }

    private func setPaymentVerified(
        _ isVerified: Bool, user: UUID, at now: Instant, trace: TraceContext, in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let rows = try await transaction.execute(
            """
            UPDATE accounts.users
            SET payment_verified = \(isVerified), updated = \(now), token_version = token_version + 1
            WHERE id = \(user) AND payment_verified <> \(isVerified) RETURNING \(TokenOwner.columns)
            """)
        guard let owner = try rows.first.map(TokenOwner.init) else { return TokenChanges(mustBeConfirmed: !isVerified) }
        try await outbox.append(.userVerified(owner, trace: trace), in: transaction)
        return try await tokens.flagsChanged(of: owner, losing: !isVerified, at: now, in: transaction)
    }

    /// A user takes the form of payment back; what is still being checked counts no more.
    func removePaymentMethod(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        let now = now()
        let (method, changes) = try await outbox.withTransaction(postgres) { transaction -> (String?, TokenChanges) in
            guard try await transaction.lockedProfile(id, at: now) != nil else { throw Problem.userGone }
            try await supersede(id, at: now, in: transaction)
            let rows = try await transaction.execute(
                "DELETE FROM accounts.payment_methods WHERE user_id = \(id) RETURNING method, provider")
            let (method, provider) = try rows.first?.decode((String, String).self) ?? ("", "")
            let changes = try await setPaymentVerified(false, user: id, at: now, trace: request.trace, in: transaction)
            return (provider == payments.name ? method : nil, changes)
        }
        if let method {
            do {
                try await payments.release(method: method)
            } catch {
                // Nothing of ours refers to it any more; it only stays in the provider's list.
                request.logger.warning("payment method not detached", metadata: ["error": "\(type(of: error))"])
            }
        }
        try await tokens.settle(changes, postgres)
        return .empty(.noContent)
    }

    /// The provider tells what it couldn't say at once. It tells again until it hears 200; each event counts once.
    func paymentEvent(_ request: ServiceRequest) async throws -> Response {
        guard let webhook else { throw Problem(.notFound) }
        let now = now()
        let signature = request.head.headerFields[.stripeSignature] ?? ""
        guard webhook.isGenuine(request.body, signature: signature, now: now.seconds) else {
            throw Problem(.badRequest, "The signature is missing or not valid.")
        }
        let event: StripeWebhook.Event?
        do throws(JSONParseError) {
            event = try webhook.event(request.body)
        } catch {
            throw Problem(error)
        }
        guard let event else { return .empty() }
        let changes = try await outbox.withTransaction(postgres) { transaction -> TokenChanges in
            let new = try await transaction.execute(
                """
                INSERT INTO accounts.payment_events (id, received) VALUES (\(event.id), \(now))
                ON CONFLICT (id) DO NOTHING
                """)
            guard new.affected == 1 else { return .none }
            return try await apply(event, at: now, trace: request.trace, in: transaction)
        }
        try await tokens.settle(changes, postgres)
        return .empty()
    }

    private func apply(
        _ event: StripeWebhook.Event, at now: Instant, trace: TraceContext, in transaction: PostgresTransaction
    ) async throws -> TokenChanges {
        let rows = try await transaction.execute(
            """
            SELECT id, user_id, method FROM accounts.payment_attempts
            WHERE provider = \(payments.name) AND (intent = \(event.intent) OR id = \(event.attempt))
            ORDER BY created DESC LIMIT 1
            """)
        guard let (id, user, method) = try rows.first?.decode((UUID, UUID, String).self),
            try await transaction.lockedProfile(user, at: now) != nil
        else { return .none }
        let attempt = PaymentAttempt(id: id, userID: user, method: method, customer: nil)
        let outcome: PaymentOutcome =
            event.outcome == .succeeded ? .confirmed(customer: nil, intent: event.intent) : .declined
        return try await settle(attempt, outcome, at: now, trace: trace, in: transaction)
    }
}
