import AsyncHTTPClient
import ServiceLifecycle

/// Closes an HTTP client once those who use it have ended.
struct ClientLifetime: Service {
    let client: HTTPClient

    func run() async throws {
        try? await gracefulShutdown()
        try? await client.shutdown()
    }
}
