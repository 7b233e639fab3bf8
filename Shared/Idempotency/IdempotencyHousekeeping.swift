import Logging
import Postgres
import ServiceKit
import ServiceLifecycle

/// Removes answers that are kept no longer, a little at a time, beside any number of other processes that do.
public struct IdempotencyHousekeeping: Service {
    let idempotency: Idempotency
    let postgres: PostgresClient
    let logger: Logger
    let interval: Duration

    /// - Parameter interval: between two rounds.
    public init(
        _ idempotency: Idempotency, postgres: PostgresClient, logger: Logger, interval: Duration = .seconds(60)
    ) {
        self.idempotency = idempotency
        self.postgres = postgres
        self.logger = logger
        self.interval = interval
    }

    public func run() async {
        await Periodic("forgetting answers", every: interval, logger: logger) {
            try await idempotency.clean(postgres)
        }.run()
    }
}
