import NIOCore
import NIOPosix
import Synchronization

/// The wire between clients and a server, on which a test can put words into the server's mouth.
final class Wire: Sendable {
    private let clients = Mutex<[any Channel]>([])
    private let listener = Mutex<(any Channel)?>(nil)

    /// - Parameter server: the port of the server, on loopback.
    init(to server: Int) async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { client in
                ClientBootstrap(group: client.eventLoop).connect(host: "127.0.0.1", port: server)
                    .flatMapThrowing { upstream in
                        try client.pipeline.syncOperations.addHandler(Passing(to: upstream))
                        try upstream.pipeline.syncOperations.addHandler(Passing(to: client))
                        self.clients.withLock { $0.append(client) }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.listener.withLock { $0 = listener }
    }

    var port: Int { listener.withLock { $0 }?.localAddress?.port ?? 0 }

    /// Connections made so far, and those that stand.
    var made: Int { clients.withLock { $0.count } }
    var standing: Int { clients.withLock { $0.count { $0.isActive } } }

    /// Says this to every client, as if the server had. Returns when it is on its way.
    func say(_ message: [UInt8]) async throws {
        for client in clients.withLock({ $0 }) where client.isActive {
            try await client.writeAndFlush(ByteBuffer(bytes: message)).get()
        }
    }

    func close() async throws {
        try await listener.withLock { $0 }?.close().get()
    }

    /// A report (protocol, "NoticeResponse", "ErrorResponse"): its fields, each a letter and a text.
    static func report(_ type: Character, _ fields: [(Character, String)]) -> [UInt8] {
        var body = ByteBuffer()
        for (letter, text) in fields { body.writeString("\(letter)\(text)\0") }
        body.writeInteger(0 as UInt8)
        var report = ByteBuffer(string: String(type))
        report.writeInteger(UInt32(body.readableBytes + 4))
        report.writeBuffer(&body)
        return Array(report.readableBytesView)
    }
}

/// Hands on what comes, and the end.
private final class Passing: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    init(to other: any Channel) { self.other = other }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
