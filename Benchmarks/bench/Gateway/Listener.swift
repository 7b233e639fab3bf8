import NIOCore
import NIOPosix
import Synchronization

/// A client that has opened a stream of events and does nothing but read it.
final class Listener: Sendable {
    private let channel: any Channel

    /// What listeners have read, all together.
    final class Heard: Sendable {
        private let state = Mutex((begun: 0, events: 0, ended: 0, last: ContinuousClock.now))

        var begun: Int { state.withLock { $0.begun } }
        var events: Int { state.withLock { $0.events } }
        var ended: Int { state.withLock { $0.ended } }
        /// When the last of them was read.
        var last: ContinuousClock.Instant { state.withLock { $0.last } }

        func begin() { state.withLock { $0.begun += 1 } }
        func end() { state.withLock { $0.ended += 1 } }

        func hear(_ count: Int) {
            let now = ContinuousClock.now
            state.withLock { state in
                state.events += count
                state.last = now
            }
        }
    }

    private init(_ channel: any Channel) { self.channel = channel }

    static func open(port: Int, token: String, heard: Heard) async throws -> Listener {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Reading(heard))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let request = "GET /api/v1/events HTTP/1.1\r\nhost: gateway\r\nauthorization: Token \(token)\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        return Listener(channel)
    }

    func close() { channel.close(promise: nil) }
}

/// Counts streams that have begun and the events on them.
private final class Reading: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let heard: Listener.Heard
    private var hasBegun = false

    init(_ heard: Listener.Heard) { self.heard = heard }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = unwrapInboundIn(data).readableBytesView
        if !hasBegun, contains(text, "retry:") {
            hasBegun = true
            heard.begin()
        }
        if contains(text, "data: ") { heard.hear(1) }
    }

    func channelInactive(context: ChannelHandlerContext) { heard.end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func contains(_ bytes: ByteBufferView, _ text: StaticString) -> Bool {
        text.withUTF8Buffer { needle in
            var rest = bytes[...]
            while let start = rest.firstIndex(of: needle[0]) {
                rest = rest[start...]
                if rest.count < needle.count { return false }
                if rest.prefix(needle.count).elementsEqual(needle) { return true }
                rest = rest.dropFirst()
            }
            return false
        }
    }
}
