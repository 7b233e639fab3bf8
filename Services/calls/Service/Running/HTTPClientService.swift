import AsyncHTTPClient
import ServiceLifecycle

/// Keeps the client that calls other services until everything that uses it has ended.
struct HTTPClientService: Service {
    let client: HTTPClient

    func run() async throws {
        try? await gracefulShutdown()
        try await client.shutdown()
    }
}
