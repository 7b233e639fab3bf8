import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Serves `/metrics`, `/health/live` and `/health/ready` on a port of its own, which the gateway does not route to.
public struct MetricsServer: Service {
    private let host: String
    private let port: Int
    private let registry: PrometheusRegistry
    private let health: Health
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - onListening: is told the port.
    public init(
        host: String = "0.0.0.0", port: Int, registry: PrometheusRegistry, health: Health, logger: Logger,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.registry = registry
        self.health = health
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until the process has shut down all that started after it.
    public func run() async throws {
        let registry = registry
        let health = health
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        IdleStateHandler(allTimeout: .seconds(60)))
                    try channel.pipeline.syncOperations.addHandler(MetricsHandler(registry: registry, health: health))
                }
            }
            .bind(host: host, port: port).get()
        onListening(channel.localAddress?.port ?? port)
        try? await gracefulShutdown()
        try? await channel.close()
    }
}

/// Answers one request at a time. What it answers with is put together off the event loop.
private final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let registry: PrometheusRegistry
    private let health: Health
    private var head: HTTPRequestHead?

    init(registry: PrometheusRegistry, health: Health) {
        self.registry = registry
        self.health = health
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end: head.map { answer($0, context) }
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let path = String(head.uri.prefix { $0 != "?" })
        let registry = registry
        let health = health
        let promise = context.eventLoop.makePromise(of: (Int, String, ByteBuffer).self)
        promise.completeWithTask {
            guard head.method == .GET || head.method == .HEAD else { return (405, "text/plain", ByteBuffer()) }
            if path == "/metrics" { return (200, PrometheusRegistry.contentType, registry.exposition()) }
            if let (status, body) = await health.answer(path: path) { return (status, "application/json", body) }
            return (404, "text/plain", ByteBuffer())
        }
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess { status, type, body in
            let (handler, context) = loopBound.value
            var headers: HTTPHeaders = ["content-type": type, "content-length": String(body.readableBytes)]
            if status == 405 { headers.add(name: "allow", value: "GET, HEAD") }
            if !head.isKeepAlive { headers.add(name: "connection", value: "close") }
            let answer = HTTPResponseHead(
                version: .http1_1, status: .init(statusCode: status), headers: headers)
            context.write(handler.wrapOutboundOut(.head(answer)), promise: nil)
            if head.method != .HEAD { context.write(handler.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
            context.writeAndFlush(handler.wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
                if !head.isKeepAlive { loopBound.value.1.close(promise: nil) }
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
