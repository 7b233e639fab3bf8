import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks a process on this machine whether it is ready: the health check of a container.
public enum HealthCommand {
    /// Whether `/health/ready` on a port of this machine answers 200 in time.
    public static func isReady(port: Int, host: String = "127.0.0.1", timeout: TimeAmount = .seconds(2)) async -> Bool {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let answer = loop.makePromise(of: Bool.self)
        // Whichever comes first; a promise that was kept is not kept again.
        let once = OnceOnLoop(answer, loop)
        loop.scheduleTask(in: timeout) { once.succeed(false) }
        let connected = ClientBootstrap(group: loop).connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(StatusHandler(once))
                }
            }
            .connect(host: host, port: port)
        connected.whenFailure { _ in once.succeed(false) }
        connected.whenSuccess { channel in
            let head = HTTPRequestHead(
                version: .http1_1, method: .GET, uri: "/health/ready",
                headers: ["host": "\(host):\(port)", "connection": "close"])
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }
        let isReady = (try? await answer.futureResult.get()) ?? false
        connected.whenSuccess { $0.close(promise: nil) }
        return isReady
    }
}

/// Keeps a promise once; used on its loop only.
private final class OnceOnLoop: Sendable {
    private let promise: EventLoopPromise<Bool>
    private let isKept: NIOLoopBoundBox<Bool>

    init(_ promise: EventLoopPromise<Bool>, _ loop: any EventLoop) {
        self.promise = promise
        self.isKept = .makeBoxSendingValue(false, eventLoop: loop)
    }

    func succeed(_ value: Bool) {
        guard !isKept.value else { return }
        isKept.value = true
        promise.succeed(value)
    }
}

private final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let once: OnceOnLoop

    init(_ once: OnceOnLoop) {
        self.once = once
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) { once.succeed(head.status == .ok) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        once.succeed(false)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        once.succeed(false)
        context.close(promise: nil)
    }
}
