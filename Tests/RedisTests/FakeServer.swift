import NIOCore
import NIOPosix
import Redis

/// A server that says what a test wants: nothing of it is Redis.
final class FakeServer: Sendable {
    private let channel: any Channel

    /// - Parameter answer: what to send for the bytes received; nil closes the connection.
    static func start(_ answer: @escaping @Sendable (ByteBuffer) -> String?) async throws -> FakeServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answers(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeServer(channel)
    }

    private init(_ channel: any Channel) { self.channel = channel }

    var url: String { "redis://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    func stop() async throws { try await channel.close() }

    /// What a well-behaved server answers to a client's handshake; the client sends it in one piece.
    static func isHandshake(_ bytes: ByteBuffer) -> Bool { String(buffer: bytes).contains("INFO") }
    static var handshake: String {
        let info = "# Server\r\nrun_id:0123456789012345678901234567890123456789\r\n"
        return "+OK\r\n:7\r\n$\(info.utf8.count)\r\n\(info)\r\n+PONG\r\n"
    }

    private final class Answers: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let answer: @Sendable (ByteBuffer) -> String?

        init(_ answer: @escaping @Sendable (ByteBuffer) -> String?) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let text = answer(unwrapInboundIn(data)) else { return context.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}
