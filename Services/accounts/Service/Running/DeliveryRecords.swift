import AccountsDomain
import Logging
import Postgres

/// What operators do about messages: they see how it stands with them, and have those tried again that were given up.
public struct DeliveryRecords: Sendable {
    private let settings: AccountsSettings
    private let logger: Logger

    /// Connects to nothing by itself.
    public init(_ settings: AccountsSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// How it stands with a message.
    public enum State: String, Sendable, CaseIterable {
        case waiting
        case sent
        /// Given up.
        case parked
    }

    /// One message, without its address and contents: those are sealed.
    public struct Summary: Sendable {
        /// Its number, which also tells it from others where it arrives.
        public var id: Int64
        /// A ``State``.
        public var state: String
        /// `mail` or `sms`.
        public var channel: String
        /// What it says, as its template is called.
        public var kind: String
        /// Tries so far.
        public var attempts: Int
        /// When it was written, in RFC 3339.
        public var created: String
        /// When it is tried next, while it waits; in RFC 3339.
        public var next: String?
        /// Why it was not sent.
        public var reason: String?
        /// Whether it can be tried again.
        public var canBeRetried: Bool
    }

    /// What a retry came to.
    public enum Retried: Sendable, Hashable {
        /// It waits again; a running accounts sends it within a second.
        case waits
        /// It was erased, since it would have been of no more use.
        case isErased
        /// It was not given up, or there is no such message.
        case isNotParked
    }

    /// The newest messages first.
    ///
    /// - Parameter state: nil for all that were not sent.
    /// - Throws: `PostgresError`.
    public func list(_ state: State?, limit: Int) async throws -> [Summary] {
        let states = state.map { [$0] } ?? [.waiting, .parked]
        return try await with { postgres in
            let rows = try await postgres.read(
                """
                SELECT id, state, channel, kind, attempts, created, next_attempt, reason,
                    state = 'parked' AND payload IS NOT NULL
                FROM accounts.deliveries WHERE state = ANY(\(states.map(\.rawValue)))
                ORDER BY id DESC LIMIT \(Int64(limit))
                """)
            return try rows.decode((Int64, String, String, String, Int32, Timestamp, Timestamp, String?, Bool).self)
                .map { row in
                    Summary(
                        id: row.0, state: row.1, channel: row.2, kind: row.3, attempts: Int(row.4),
                        created: row.5.rfc3339, next: row.1 == "waiting" ? row.6.rfc3339 : nil, reason: row.7,
                        canBeRetried: row.8)
                }
        }
    }

    /// Has a message tried again that was given up.
    ///
    /// - Throws: `PostgresError`.
    public func retry(_ id: Int64) async throws -> Retried {
        try await with { postgres in
            if try await Self.retry("id = \(id)", in: postgres) == 1 { return .waits }
            let rows = try await postgres.read(
                "SELECT 1 FROM accounts.deliveries WHERE id = \(id) AND state = 'parked'")
            return rows.isEmpty ? .isNotParked : .isErased
        }
    }

    /// Has all messages tried again that were given up and are still of use.
    ///
    /// - Returns: how many.
    /// - Throws: `PostgresError`.
    public func retryAll() async throws -> Int {
        try await with { try await Self.retry("true", in: $0) }
    }

    private static func retry(_ condition: SQL, in postgres: PostgresClient) async throws -> Int {
        let now = Instant.now()
        let rows = try await postgres.execute(
            """
            UPDATE accounts.deliveries
            SET state = 'waiting', attempts = 0, next_attempt = \(now), reason = NULL, finished = NULL
            WHERE \(condition) AND state = 'parked' AND payload IS NOT NULL
                AND (not_after IS NULL OR not_after > \(now))
            """)
        return Int(rows.affected)
    }

    private func with<Result>(_ body: (PostgresClient) async throws -> Result) async throws -> Result {
        let configuration = PostgresConfiguration(settings.databaseURL, applicationName: "accounts deliveries")
        return try await PostgresClient.with(configuration, logger: logger, body)
    }
}
