import Logging
import Postgres
import ServiceKit
import ServiceLifecycle

/// Tells Redis, every second, what the requests that changed tokens could not.
struct TokenSweep: Service {
    let tokens: TokenStore
    let postgres: PostgresClient
    let logger: Logger
    var interval: Duration = .seconds(1)

    func run() async {
        await Periodic("telling Redis of tokens", every: interval, logger: logger) {
            while try await tokens.sweep(postgres) > 0 {}
        }.run()
    }
}
