import AsyncHTTPClient
import Identity
import NIOCore
import NIOPosix
import ServiceKit
import Synchronization
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
        // Only the last call is to run out of time.
        var configuration = InternalClient.httpConfiguration
        configuration.timeout.connect = .seconds(20)
        let http = HTTPClient(configuration: configuration)
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
                        .get("/internal/v1/things/5?a=b", trace: trace, requestID: "r-1", deadline: .seconds(40))
                    #expect(answer.status == 200)
                    #expect(String(buffer: answer.body) == "5 b \(trace.traceID) r-1")
                }
                let refused = try await client("calls", [live]).get("/internal/v1/things/5", deadline: .seconds(40))
                #expect(refused.status == 403)
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

    @Test func `a connection that is closed before an answer came is tried once more, at the only address too`()
        async throws
    {
        let connections = Mutex(0)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                let number = connections.withLock { count in
                    count += 1
                    return count
                }
                return channel.eventLoop.makeCompletedFuture {
                    // The first is closed, the second answers, all others are closed.
                    try channel.pipeline.syncOperations.addHandler(OneAnswer(isGiven: number == 2))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let client = InternalClient(
            name: "gateway", addresses: ["http://127.0.0.1:\(port)"], seal: TestService.seal, http: .shared)
        #expect(try await client.get("/x", deadline: .seconds(30)).status == 200)
        #expect(connections.withLock { $0 } == 2)
        await #expect(throws: InternalClient.Unreachable.self) {
            try await client.get("/x", deadline: .seconds(30))
        }
        #expect(connections.withLock { $0 } == 4)
        try await server.close()
    }

    @Test(arguments: [false, true])
    func `an answer whose body never ends fails by the deadline, as one without a head, and its connection is closed`(
        trickles: Bool
    ) async throws {
        let connections = Mutex((opened: 0, closed: 0))
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                connections.withLock { $0.opened += 1 }
                channel.closeFuture.whenComplete { _ in connections.withLock { $0.closed += 1 } }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HalfAnswer(trickles: trickles))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let client = InternalClient(
            name: "gateway", addresses: ["http://127.0.0.1:\(port)"], seal: TestService.seal, http: .shared)
        let start = ContinuousClock.now
        do {
            _ = try await client.get("/x", deadline: .milliseconds(500))
            Issue.record("half an answer is none")
        } catch {
            #expect("\(error)".contains("deadlineExceeded"))
        }
        #expect(ContinuousClock.now - start < .seconds(8))
        try await eventually("all connections are closed") {
            connections.withLock { $0.opened > 0 && $0.opened == $0.closed }
        }
        try await server.close()
    }
}

/// Answers with a head and a part of the body, and then with nothing more, or with a byte at a time.
private final class HalfAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let trickles: Bool

    init(trickles: Bool) {
        self.trickles = trickles
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nhalf")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        guard trickles else { return }
        let channel = context.channel
        context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(10)) { task in
            channel.writeAndFlush(ByteBuffer(string: ".")).whenFailure { _ in task.cancel() }
        }
    }
}

/// Answers what comes, or closes; then it closes too.
private final class OneAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let isGiven: Bool

    init(isGiven: Bool) {
        self.isGiven = isGiven
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isGiven {
            let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
        context.close(promise: nil)
    }
}
