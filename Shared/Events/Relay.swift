import Logging
import Postgres
import Redis
import ServiceLifecycle

/// Publishes what the ``Outbox`` of a service holds. Any number of processes of a service run one; one of them leads.
public struct Relay: Service {
    let outbox: Outbox
    let postgres: PostgresClient
    let redis: RedisClient
    let logger: Logger

    public init(_ outbox: Outbox, postgres: PostgresClient, redis: RedisClient, logger: Logger) {
        self.outbox = outbox
        self.postgres = postgres
        self.redis = redis
        self.logger = logger
    }

    public func run() async throws {
        try? await gracefulShutdown()
    }
}
