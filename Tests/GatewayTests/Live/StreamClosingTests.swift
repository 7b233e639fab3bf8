import NIOCore
import Testing

@testable import GatewayService

@Suite("Streams of a gateway that goes away") struct StreamClosingTests {
    @Test func `one that is opened at the last moment ends as a whole one, and at once`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({ $0.limits.drain = .minutes(1) }) { gateway in
            let ada = try await world.signIn()
            let client = try await gateway.connect()
            #expect(try await client.ask(request("GET", "/health/live"))?.status == 200)
            await gateway.shutDown()
            let fields = ["authorization": "Token \(ada.token.secret)"]
            let stream = try await EventStream.open(client, request("GET", "/api/v1/events", fields))
            #expect(try await stream.next() == nil)
        }
    }
}
