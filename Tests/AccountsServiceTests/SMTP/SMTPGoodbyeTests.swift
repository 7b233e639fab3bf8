import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import AccountsService

@Suite("Mail servers that don't answer QUIT")
struct SMTPGoodbyeTests {
    @Test("Neither the next mail nor the end of the process waits for a server's goodbye")
    func mute() async throws {
        let server = try await MuteServer.start()
        let address = try #require(SMTPServer("smtp://127.0.0.1:\(server.port)?starttls=none&connections=1"))
        let smtp = SMTPTransport(
            address, MailTextTests.format, idleTime: .milliseconds(50), farewell: .milliseconds(200))
        let transport = smtp.transport
        let group = ServiceGroup(
            configuration: .init(services: transport.services.map { .init(service: $0) }, logger: Deliveries.logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await transport.send(MailTextTests.mail(to: "ok-1@example.com"))
            try await eventually("an idle connection is to be closed") { server.counts.quits == 1 }
            let start = ContinuousClock.now
            try await transport.send(MailTextTests.mail(to: "ok-2@example.com"))
            #expect(server.counts.mails == 2)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            // libcurl alone would wait for two minutes each time.
            #expect(ContinuousClock.now - start < .seconds(30))
        }
        try await server.stop()
    }
}

/// Takes every mail, and never answers QUIT.
private final class MuteServer: Sendable {
    struct Counts: Sendable {
        var mails = 0
        var quits = 0
    }

    private let state: State
    private let listener: any Channel

    static func start() async throws -> MuteServer {
        let state = State()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                state.channels.withLock { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Session(state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return MuteServer(listener, state)
    }

    private init(_ listener: any Channel, _ state: State) {
        self.listener = listener
        self.state = state
    }

    var port: Int { listener.localAddress?.port ?? 0 }

    var counts: Counts { state.counts.withLock { $0 } }

    /// Also closes the connections, so that nobody waits for an answer any more.
    func stop() async throws {
        try await listener.close()
        for channel in state.channels.withLock({ $0 }) { channel.close(promise: nil) }
    }

    private final class State: Sendable {
        let counts = Mutex(Counts())
        let channels = Mutex<[any Channel]>([])
    }

    private final class Session: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let state: State
        private var line = ""
        private var isInMail = false

        init(_ state: State) {
            self.state = state
        }

        func channelActive(context: ChannelHandlerContext) {
            answer("220 mute", context)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            // A line's end is one character to Swift, "\r\n": bytes are looked at one by one.
            for byte in unwrapInboundIn(data).readableBytesView {
                if byte != UInt8(ascii: "\n") {
                    if byte != UInt8(ascii: "\r") { line.unicodeScalars.append(Unicode.Scalar(byte)) }
                    continue
                }
                take(line, context)
                line = ""
            }
        }

        private func take(_ line: String, _ context: ChannelHandlerContext) {
            if isInMail {
                guard line == "." else { return }
                isInMail = false
                state.counts.withLock { $0.mails += 1 }
                answer("250 taken", context)
                return
            }
            switch line.prefix(4) {
            case "QUIT":
                state.counts.withLock { $0.quits += 1 }
            case "DATA":
                isInMail = true
                answer("354 go on", context)
            default:
                answer("250 well", context)
            }
        }

        private func answer(_ line: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: line + "\r\n")), promise: nil)
        }
    }
}
