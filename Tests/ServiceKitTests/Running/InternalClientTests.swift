import AsyncHTTPClient
import Identity
import ServiceKit
import TestKit
import Testing

@Suite struct InternalClientTests {
    static let routes: [Route] = [
        Route(.get, "/internal/v1/things/{id}", access: .service(["gateway"])) { request in
            .text(
                .ok, "\(try request.id()) \(try request.query["a"] ?? "") \(request.trace.traceID) \(request.requestID)"
            )
        },
        Route(.get, "/internal/v1/slow", access: .service(["gateway"])) { _ in
            // Longer than the deadline; the test does not wait for it to pass.
            try await Task.sleep(for: .seconds(3))
            return .empty()
        },
    ]

    @Test func `a call is signed, traced, bounded in time and size`() async throws {
        let http = HTTPClient(configuration: InternalClient.httpConfiguration)
        do {
            try await TestService.with(Self.routes) { service in
                let dead = "http://127.0.0.1:\(try freePort())"
                let live = "http://127.0.0.1:\(service.port)"
                func client(_ name: String, _ addresses: [String]) -> InternalClient {
                    InternalClient(name: name, addresses: addresses, seal: TestService.seal, http: http)
                }
                let trace = TraceContext()
                // One address of two is dead: whichever is first, there is an answer.
                for _ in 0..<8 {
                    let answer = try await client("gateway", [dead, live])
                        .get("/internal/v1/things/5?a=b", trace: trace, requestID: "r-1")
                    #expect(answer.status == 200)
                    #expect(String(buffer: answer.body) == "5 b \(trace.traceID) r-1")
                }
                #expect(try await client("calls", [live]).get("/internal/v1/things/5").status == 403)
                await #expect(throws: InternalClient.Unreachable.self) { try await client("gateway", [dead]).get("/x") }
                await #expect(throws: InternalClient.Unreachable.self) { try await client("gateway", []).get("/x") }
                await #expect(throws: InternalClient.Unreachable.self) {
                    try await client("gateway", [live]).get("/internal/v1/things/5", limit: 2)
                }
                let start = ContinuousClock.now
                await #expect(throws: InternalClient.Unreachable.self) {
                    try await client("gateway", [live]).get("/internal/v1/slow", deadline: .milliseconds(100))
                }
                #expect(ContinuousClock.now - start < .seconds(5))
            }
        } catch {
            try await http.shutdown()
            throw error
        }
        try await http.shutdown()
    }
}
