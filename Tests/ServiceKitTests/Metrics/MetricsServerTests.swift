import Logging
import Metrics
import ServiceKit
import ServiceLifecycle
import Testing

@Suite struct MetricsServerTests {
    @Test func `metrics and health are on a port of their own`() async throws {
        let registry = PrometheusRegistry()
        Counter(label: "hits", factory: registry).increment()
        let health = Health()
        let (ports, found) = AsyncStream<Int>.makeStream()
        let server = MetricsServer(
            host: "127.0.0.1", port: 0, registry: registry, health: health, logger: Logger(label: "test"),
            onListening: { found.yield($0) })
        let group = ServiceGroup(services: [server], logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let wire = try await Wire(port: port)
            func get(_ path: String, _ method: String = "GET") async throws -> WireAnswer {
                try await wire.send("\(method) \(path) HTTP/1.1\r\nhost: x\r\n\r\n")
                return try #require(try await wire.answer(toHead: method == "HEAD"))
            }
            let metrics = try await get("/metrics")
            #expect(metrics["content-type"] == PrometheusRegistry.contentType)
            #expect(metrics.text == "# TYPE hits counter\nhits 1\n")
            #expect(try await get("/metrics", "HEAD").status == 200)
            #expect(try await get("/metrics", "POST").status == 405)
            #expect(try await get("/health/ready").status == 503)
            health.startServing()
            #expect(try await get("/health/ready").status == 200)
            #expect(try await get("/health/live").status == 200)
            #expect(try await get("/").status == 404)
            await group.triggerGracefulShutdown()
            try await tasks.next()
        }
    }
}
