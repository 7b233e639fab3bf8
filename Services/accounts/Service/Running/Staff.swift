import AccountsDomain
import Events
import Identity
import Logging
import NIOPosix
import Postgres
import Redis
import ServiceKit

/// What operators do about staff: no route makes one.
public struct Staff: Sendable {
    private let settings: AccountsSettings
    private let logger: Logger

    /// Connects to nothing by itself.
    public init(_ settings: AccountsSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// What a change came to.
    public enum Outcome: Sendable, Hashable {
        /// It holds from the next request on.
        case done
        /// It holds as soon as Redis can be reached; a running accounts sees to that.
        case queued
        /// Nobody has this address.
        case noSuchUser
    }

    /// Makes a user staff, or no longer.
    ///
    /// - Throws: `PostgresError`.
    public func set(_ isStaff: Bool, email: String) async throws -> Outcome {
        try await PostgresClient.with(configuration, logger: logger) { postgres in
            let redis = RedisClient(
                settings.redis, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try? await redis.run() }
                defer { group.cancelAll() }
                return try await set(isStaff, email.lowercased(), postgres, redis)
            }
        }
    }

    private func set(
        _ isStaff: Bool, _ email: String, _ postgres: PostgresClient, _ redis: RedisClient
    ) async throws -> Outcome {
        let tokens = TokenStore(
            secret: settings.secret, copies: TokenCopies(redis: redis), outbox: Outbox(service: AccountsSchema.name),
            lifetimes: settings.rules.lifetimes, logger: logger)
        let now = Instant.now()
        let changes = try await postgres.withTransaction { transaction -> TokenChanges? in
            let rows = try await transaction.execute(
                """
                UPDATE accounts.users SET is_staff = \(isStaff),
                    token_version = token_version + CASE WHEN is_staff = \(isStaff) THEN 0 ELSE 1 END
                WHERE email = \(email) RETURNING \(TokenOwner.columns)
                """)
            guard let owner = try rows.first.map(TokenOwner.init) else { return nil }
            return try await tokens.flagsChanged(of: owner, losing: true, at: now, in: transaction)
        }
        guard let changes else { return .noSuchUser }
        do {
            try await tokens.settle(changes, postgres)
        } catch is Problem {
            return .queued
        }
        // Tells no more than the row it removes: that Redis has confirmed.
        _ = try? await tokens.sweep(postgres)
        return .done
    }

    /// The addresses of all staff, in order.
    ///
    /// - Throws: `PostgresError`.
    public func list() async throws -> [String] {
        try await PostgresClient.with(configuration, logger: logger) { postgres in
            try await postgres.read("SELECT email FROM accounts.users WHERE is_staff ORDER BY email").decode(
                String.self)
        }
    }

    private var configuration: PostgresConfiguration {
        PostgresConfiguration(settings.databaseURL, applicationName: "accounts staff")
    }
}
