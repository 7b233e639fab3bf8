import Logging
import Postgres
import ServiceLifecycle

/// Tells Redis, every second, what the requests that changed tokens could not.
struct TokenSweep: Service {
    let tokens: TokenStore
    let postgres: PostgresClient
    let logger: Logger
    var interval: Duration = .seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var failing = false
            while !Task.isCancelled {
                do {
                    while try await tokens.sweep(postgres) > 0 {}
                    failing = false
                } catch is CancellationError {
                    return
                } catch {
                    // Once for each outage: it will be tried again and again.
                    if !failing { logger.warning("token changes wait", metadata: ["error": "\(error)"]) }
                    failing = true
                }
                try? await Task.sleep(for: interval)
            }
        }
    }
}
