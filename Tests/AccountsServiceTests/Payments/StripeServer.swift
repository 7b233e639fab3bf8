import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Stands in for Stripe on 127.0.0.1: answers as a test wants, and remembers what it was asked.
final class StripeServer: Sendable {
    struct Asked: Sendable, Equatable {
        var method: String
        var path: String
        var headers: HTTPHeaders
        /// The form that the body was, decoded.
        var form: [String: String]

        var idempotencyKey: String? { headers.first(name: "idempotency-key") }
    }

    enum Reply: Sendable {
        case json(_ status: Int, _ body: String, _ fields: HTTPHeaders = [:])
        /// The head and half of the body, then the end of the connection.
        case broken
        /// The end of the connection.
        case hangUp
        /// Nothing.
        case silence
    }

    typealias Answers = @Sendable (Asked) async -> Reply

    private struct State {
        var answer: Answers
        var asked: [Asked] = []
    }

    private let state: Mutex<State>
    private let channel = Mutex<(any Channel)?>(nil)

    /// Runs `body` beside a server that answers every request as Stripe does when all is well.
    static func with(_ body: @Sendable (StripeServer) async throws -> Void) async throws {
        let server = StripeServer()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        do {
            try await body(server)
        } catch {
            try? await channel.close()
            throw error
        }
        try await channel.close()
    }

    private init() {
        state = Mutex(State(answer: { Self.success($0) }))
    }

    var url: String { "http://127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }

    /// All that was asked so far.
    var asked: [Asked] { state.withLock { $0.asked } }

    /// The requests for a SetupIntent.
    var intents: [Asked] { asked.filter { $0.path == "/v1/setup_intents" } }

    /// What is answered from now on; nil means what it answers when all is well.
    func answers(_ answer: @escaping @Sendable (Asked) async -> Reply?) {
        state.withLock { state in
            state.answer = { asked in
                if let reply = await answer(asked) { return reply }
                return Self.success(asked)
            }
        }
    }

    fileprivate func reply(to asked: Asked) async -> Reply {
        let answer = state.withLock { state in
            state.asked.append(asked)
            return state.answer
        }
        return await answer(asked)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: StripeServer
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(_ server: StripeServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = ByteBuffer()
            case .body(var part):
                body.writeBuffer(&part)
            case .end:
                guard let head else { return }
                let asked = Asked(
                    method: head.method.rawValue, path: head.uri, headers: head.headers,
                    form: StripeServer.form(String(buffer: body)))
                let channel = context.channel
                let server = server
                Task {
                    let reply = await server.reply(to: asked)
                    channel.eventLoop.execute { StripeServer.write(reply, to: channel) }
                }
            }
        }
    }

    private static func write(_ reply: Reply, to channel: any Channel) {
        func head(_ status: Int, _ length: Int, _ more: HTTPHeaders = [:]) {
            var fields: HTTPHeaders = [
                "content-type": "application/json", "content-length": "\(length)", "request-id": "req_1",
            ]
            fields.add(contentsOf: more)
            channel.write(
                HTTPServerResponsePart.head(
                    .init(version: .http1_1, status: .init(statusCode: status), headers: fields)), promise: nil)
        }
        switch reply {
        case .json(let status, let body, let fields):
            head(status, body.utf8.count, fields)
            channel.write(HTTPServerResponsePart.body(.byteBuffer(.init(string: body))), promise: nil)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        case .broken:
            head(200, 1000)
            let part = HTTPServerResponsePart.body(.byteBuffer(.init(string: #"{"id": "seti_1", "status": "succ"#)))
            channel.writeAndFlush(part).whenComplete { _ in channel.close(promise: nil) }
        case .hangUp:
            channel.close(promise: nil)
        case .silence:
            break
        }
    }

    private static func form(_ text: String) -> [String: String] {
        var form: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.replacing("+", with: " ").removingPercentEncoding ?? ""
            }
            form[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return form
    }
}
