import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestKit

#if canImport(Glibc)
import Glibc
#endif

/// More loops than cores: one test's busy loop must not make another's bytes late.
let testLoops = MultiThreadedEventLoopGroup(numberOfThreads: 4)

/// One side of a TCP connection, byte by byte, with nothing in between that would be too polite to misbehave.
final class RawConnection: Sendable {
    let channel: any Channel
    /// What a reader of bodies has taken out and not used yet.
    let carried = CarriedText()
    private let inbox: NIOLoopBound<Inbox>

    /// What has come, and who waits for it. On the channel's loop.
    fileprivate final class Inbox: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var bytes = ByteBuffer()
        var hasEnded = false
        var total = 0
        var isPaused = false
        private var waiters: [(isSatisfied: () -> Bool, resume: () -> Void)] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var read = unwrapInboundIn(data)
            total += read.readableBytes
            bytes.writeBuffer(&read)
            wake()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed = event as? ChannelEvent { end() }
        }

        func channelInactive(context: ChannelHandlerContext) { end() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func end() {
            hasEnded = true
            wake()
        }

        func wait(until isSatisfied: @escaping () -> Bool, _ resume: @escaping () -> Void) {
            if isSatisfied() { resume() } else { waiters.append((isSatisfied, resume)) }
        }

        private func wake() {
            let ready = waiters.filter { $0.isSatisfied() }
            waiters.removeAll { $0.isSatisfied() }
            for waiter in ready { waiter.resume() }
        }
    }

    private init(_ channel: any Channel, _ inbox: Inbox) {
        self.channel = channel
        self.inbox = NIOLoopBound(inbox, eventLoop: channel.eventLoop)
    }

    /// Called on the channel's loop.
    static func wrap(_ channel: any Channel) throws -> RawConnection {
        let inbox = Inbox()
        try channel.pipeline.syncOperations.addHandler(inbox)
        return RawConnection(channel, inbox)
    }

    /// Connects to a port of this machine.
    static func connect(_ port: Int) async throws -> RawConnection {
        try await ClientBootstrap(group: testLoops)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connect(host: "127.0.0.1", port: port)
            .flatMapThrowing { try wrap($0) }.get()
    }

    // MARK: Writing

    /// Returns when the system has taken it.
    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await channel.writeAndFlush(bytes).get()
    }

    /// Each byte in a write of its own.
    func sendByteByByte(_ text: String) async throws {
        for byte in text.utf8 { try await channel.writeAndFlush(ByteBuffer(bytes: [byte])).get() }
    }

    /// Says that nothing more will come (FIN), and reads on.
    func finish() async throws {
        try await channel.close(mode: .output).get()
    }

    /// Closes both ways.
    func close() async {
        try? await channel.close().get()
    }

    /// Ends with a reset (RST).
    func reset() async {
        if let options = channel as? any SocketOptionProvider {
            try? await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try? await channel.close().get()
    }

    // MARK: Reading

    /// Reads nothing more for now: what the other side sends stays in the system's buffers.
    func pauseReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    func resumeReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
        channel.read()
    }

    /// All bytes that have come so far, those that were taken out too.
    var received: Int { get async throws { try await onLoop { $0.total } } }

    /// Whether the other side has ended.
    var hasEnded: Bool { get async throws { try await onLoop { $0.hasEnded } } }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (Inbox) -> Value) async throws -> Value {
        try await channel.eventLoop.submit { [inbox] in body(inbox.value) }.get()
    }

    /// Waits until a piece is there, and takes it out; nil when the other side ended before.
    ///
    /// - Parameter measure: how many bytes the piece has, of what is there.
    func take(
        within: TimeAmount = .seconds(20), _ what: String, _ measure: @escaping @Sendable (ByteBufferView) -> Int?
    ) async throws -> ByteBuffer? {
        try await channel.eventLoop.flatSubmit { [inbox, channel] in
            let promise = channel.eventLoop.makePromise(of: ByteBuffer?.self)
            let inbox = inbox.value
            var isDone = false
            let timer = channel.eventLoop.assumeIsolated().scheduleTask(in: within) {
                guard !isDone else { return }
                isDone = true
                promise.fail(RawTimeout(what: what))
            }
            inbox.wait(
                until: { isDone || measure(inbox.bytes.readableBytesView) != nil || inbox.hasEnded },
                {
                    guard !isDone else { return }
                    isDone = true
                    timer.cancel()
                    promise.succeed(
                        measure(inbox.bytes.readableBytesView).flatMap { inbox.bytes.readSlice(length: $0) })
                })
            return promise.futureResult
        }.get()
    }

    /// What comes until the other side ends.
    func readToEnd(within: TimeAmount = .seconds(20)) async throws -> String {
        try await waitForEnd(within: within)
        return String(buffer: try await onLoop { $0.bytes.readSlice(length: $0.bytes.readableBytes) ?? ByteBuffer() })
    }

    /// Returns when the other side has ended.
    func waitForEnd(within: TimeAmount = .seconds(20)) async throws {
        _ = try await take(within: within, "the end") { _ in nil }
    }

    /// A head with its empty line; nil when the other side ended before.
    func readHead(within: TimeAmount = .seconds(20)) async throws -> String? {
        try await take(within: within, "a head") { bytes in
            let end = Array("\r\n\r\n".utf8)
            var index = bytes.startIndex
            while bytes.distance(from: index, to: bytes.endIndex) >= 4 {
                if bytes[index...].starts(with: end) { return bytes.distance(from: bytes.startIndex, to: index) + 4 }
                index = bytes.index(after: index)
            }
            return nil
        }.map { String(buffer: $0) }
    }

    /// Exactly so many bytes; nil when the other side ended before.
    func read(_ count: Int, within: TimeAmount = .seconds(20)) async throws -> String? {
        try await take(within: within, "\(count) bytes") { $0.count >= count ? count : nil }.map { String(buffer: $0) }
    }

    /// Up to and with a piece of text; nil when the other side ended before.
    func read(through text: String, within: TimeAmount = .seconds(20)) async throws -> String? {
        let wanted = Array(text.utf8)
        return try await take(within: within, text) { bytes in
            guard bytes.count >= wanted.count else { return nil }
            for offset in 0...(bytes.count - wanted.count)
            where bytes[bytes.startIndex + offset] == wanted[0]
                && bytes[(bytes.startIndex + offset)...].starts(with: wanted)
            {
                return offset + wanted.count
            }
            return nil
        }.map { String(buffer: $0) }
    }
}

/// What did not come.
struct RawTimeout: Error, CustomStringConvertible {
    let what: String
    var description: String { "no \(what) came in time" }
}

/// Text that waits until there is enough of it.
final class CarriedText: Sendable {
    private let text = Mutex("")

    func append(_ more: String) { text.withLock { $0 += more } }

    func take(through mark: String) -> String? {
        text.withLock { text in
            guard let end = text.range(of: mark)?.upperBound else { return nil }
            defer { text.removeSubrange(..<end) }
            return String(text[..<end])
        }
    }
}
