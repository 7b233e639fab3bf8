import Logging
import Postgres

@testable import HeroesService

extension RunningHeroes {
    /// Gives `body` a client of its own.
    func withClient<Result: Sendable>(
        _ body: @Sendable (PostgresClient) async throws -> Result
    ) async throws -> Result {
        var configuration = PostgresConfiguration(postgres.uri(database: database), applicationName: "test")
        configuration.acquireTimeout = .seconds(20)
        return try await PostgresClient.with(configuration, logger: Logger(label: "test"), body)
    }

    /// How many statements wait for a row that another transaction has.
    func waiting() async throws -> String { try await sql("SELECT \(Self.waitingCount)") }

    /// The same as an expression.
    static let waitingCount = """
        (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event IN ('transactionid', 'tuple'))
        """
}
