import Logging
import Postgres

@testable import HeroesService

extension RunningHeroes {
    /// Gives `body` a client of its own.
    func withClient<Result: Sendable>(
        _ body: @Sendable (PostgresClient) async throws -> Result
    ) async throws -> Result {
        let configuration = PostgresConfiguration(postgres.uri(database: database), applicationName: "test")
        return try await PostgresClient.with(configuration, logger: Logger(label: "test"), body)
    }
}
