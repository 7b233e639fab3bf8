import NIOCore
import NIOPosix
import Synchronization

/// A server on 127.0.0.1 that answers each connection with the same bytes, and says nothing more on it.
final class StuckServer: Sendable {
    struct Connections: Sendable {
        var answered = 0
        var closed = 0
    }

    let url: String
    private let counts: Counts

    /// Runs `body` beside one.
    static func with(_ answer: String, _ body: @Sendable (StuckServer) async throws -> Void) async throws {
        let counts = Counts()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.closeFuture.whenComplete { _ in counts.connections.withLock { $0.closed += 1 } }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(answer, counts))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(StuckServer(port: channel.localAddress?.port ?? 0, counts))
        } catch {
            try? await channel.close()
            throw error
        }
        try await channel.close()
    }

    private init(port: Int, _ counts: Counts) {
        url = "http://127.0.0.1:\(port)"
        self.counts = counts
    }

    var connections: Connections { counts.connections.withLock { $0 } }

    private final class Counts: Sendable {
        let connections = Mutex(Connections())
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: String
        private let counts: Counts
        private var isAnswered = false

        init(_ answer: String, _ counts: Counts) {
            self.answer = answer
            self.counts = counts
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            // A request may come in parts.
            if isAnswered { return }
            isAnswered = true
            counts.connections.withLock { $0.answered += 1 }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
    }
}
