import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// The requests of one connection, one at a time, and how it ends.
///
/// - A request is begun when all of its body is here, or as soon as there is nothing more to read: the responder may
///   refuse it before the rest has come. What is more than the limit is not kept.
/// - The answer leaves in one piece. The next request waits until the client has read enough of it.
/// - An answer with `connection: close` is the last: this side closes after it and reads on for a moment, so that the
///   answer is not lost to a reset (RFC 9112, section 9.6).
/// - What can't be parsed is answered with 400, as the last.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    /// How long to read what a client still sends after the last answer.
    private static let lingering = TimeAmount.seconds(1)

    /// How far the request that comes in has been read.
    private enum Reading {
        /// There is none, or its rest is of no interest.
        case nothing
        /// Not begun yet.
        case gathering(HTTPRequest, ByteBuffer)
        /// Begun; the rest of its body follows.
        case following(AsyncThrowingStream<ByteBuffer, any Error>.Continuation, bytes: Int)
    }

    private let responder: ServiceResponder
    private let executor: (any TaskExecutor)?
    /// How long a client may take to read an answer of more than the sockets hold.
    private var patience: TimeAmount
    /// Succeeds when the connection is closed and nothing is under way for it.
    var ended: EventLoopPromise<Void>?

    private var context: ChannelHandlerContext?
    private var reading = Reading.nothing
    /// Between the head and the end of a request.
    private var isInRequest = false
    /// The request that is being answered.
    private var task: Task<Void, Never>?
    /// Nothing may follow the answer under way.
    private var isLast = false
    /// The last answer has been given.
    private var isEnded = false
    /// Waits for the client to read before it lets the next request in.
    private var isStalled = false
    /// Closes a connection whose client does not read.
    private var deadline: Scheduled<Void>?
    /// When the sockets have taken the last answer.
    private var written: EventLoopFuture<Void>?
    private var date = HTTPDate()

    /// - Parameters:
    ///   - executor: runs the handlers; nil where all tasks run.
    ///   - patience: how long a client may take to read an answer.
    init(responder: ServiceResponder, executor: (any TaskExecutor)?, patience: TimeAmount) {
        self.responder = responder
        self.executor = executor
        self.patience = patience
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    /// The connection is closed.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        isEnded = true
        deadline?.cancel()
        breakOff(ChannelError.ioOnClosedChannel)
        if task == nil { ended?.succeed() }
    }

    /// Gives up the request that is being answered: its answer is the last.
    func cancel() {
        isLast = true
        patience = Self.lingering
        if let task {
            task.cancel()
        } else {
            context?.close(promise: nil)
        }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After the last answer everything is dropped, so that nothing more is begun.
        if isEnded { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            isInRequest = true
            reading = .gathering(head, ByteBuffer())
        case .body(let bytes): read(bytes)
        case .end:
            isInRequest = false
            readEnd()
        }
    }

    private func read(_ bytes: ByteBuffer) {
        switch reading {
        case .nothing: break
        case .gathering(let head, var body):
            // Let go of the only other reference, so that nothing is copied.
            reading = .nothing
            if body.readableBytes == 0 { body = bytes } else { body.writeImmutableBuffer(bytes) }
            if body.readableBytes > ServiceResponder.bodyLimit {
                begin(head, RequestBody(buffer: body))
            } else {
                reading = .gathering(head, body)
            }
        case .following(let stream, let count):
            stream.yield(bytes)
            if count + bytes.readableBytes > ServiceResponder.bodyLimit {
                stream.finish()
                reading = .nothing
            } else {
                reading = .following(stream, bytes: count + bytes.readableBytes)
            }
        }
    }

    private func readEnd() {
        switch reading {
        case .nothing: break
        case .gathering(let head, let body): begin(head, RequestBody(buffer: body))
        case .following(let stream, _): stream.finish()
        }
        reading = .nothing
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .gathering(let head, let body) = reading { follow(head, body) }
    }

    /// Begins a request whose body is still on its way.
    private func follow(_ head: HTTPRequest, _ body: ByteBuffer) {
        let (stream, continuation) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        if body.readableBytes > 0 { continuation.yield(body) }
        reading = .following(continuation, bytes: body.readableBytes)
        begin(head, RequestBody(asyncSequence: stream))
    }

    /// What is being read will not come to its end.
    private func breakOff(_ error: any Error) {
        if case .gathering(let head, let body) = reading { follow(head, body) }
        if case .following(let stream, _) = reading { stream.finish(throwing: error) }
        reading = .nothing
    }

    private func begin(_ head: HTTPRequest, _ body: RequestBody) {
        guard let context else { return }
        // NIO's parser reads nothing behind what could be a change of protocol, which no route makes.
        let endsParsing = head.method == .connect || head.headerFields.contains(.upgrade)
        if endsParsing || Self.saysClose(head.headerFields) { isLast = true }
        let eventLoop = context.eventLoop
        let handler = NIOLoopBound(self, eventLoop: eventLoop)
        let responder = responder
        task = Task(executorPreference: executor) {
            let response = await responder.respond(to: head, body: body)
            let body = try? await response.body.bytes()
            eventLoop.execute { handler.value.answer(response.head, body) }
        }
    }

    /// RFC 9112, section 9.6.
    private static func saysClose(_ fields: HTTPFields) -> Bool {
        guard let field = fields.value(of: .connection) else { return false }
        return field.lowercased().split { $0 == "," || $0 == " " }.contains("close")
    }

    // MARK: Answers

    /// - Parameter body: nil if it failed on the way: then there is no answer.
    private func answer(_ head: HTTPResponse, _ body: ByteBuffer?) {
        task = nil
        guard let context else {
            ended?.succeed()
            return
        }
        guard let body else {
            context.close(promise: nil)
            return
        }
        // Nobody waits for more of the body.
        breakOff(ChannelError.inputClosed)
        if Self.saysClose(head.headerFields) { isLast = true }
        write(head, body)
        if isLast || context.channel.isWritable {
            endAnswer()
        } else {
            context.flush()
            letNextIn()
        }
    }

    private func write(_ head: HTTPResponse, _ body: ByteBuffer) {
        guard let context else { return }
        var head = head
        head.headerFields[.date] = date.text
        if isLast { head.headerFields[.connection] = "close" }
        let promise = context.eventLoop.makePromise(of: Void.self)
        written = promise.futureResult
        if body.readableBytes > 0 {
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(body)), promise: promise)
        } else {
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        }
    }

    /// The end of an answer is what the next request waits for.
    private func endAnswer() {
        let isLast = isLast
        // Before it is written: that lets the next one in at once, if it is here already.
        isEnded = isLast
        context?.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if isLast { finish() }
    }

    private func letNextIn() {
        guard let context, !isEnded else { return }
        if context.channel.isWritable {
            isStalled = false
            deadline?.cancel()
            endAnswer()
        } else if !isStalled {
            isStalled = true
            close(context.channel, in: patience)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isStalled { letNextIn() }
    }

    private func close(_ channel: any Channel, in time: TimeAmount) {
        deadline?.cancel()
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: time) { channel.close(promise: nil) }
    }

    // MARK: The end

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // More of what could not be parsed: the parser has said so already.
        if error is ByteToMessageDecoderError { return }
        // A method or target that HTTPTypes refuses is as malformed as what the parser refuses.
        guard error is HTTPParserError || error is HTTP1TypeConversionError else {
            context.close(promise: nil)
            return
        }
        if isEnded { return }
        isLast = true
        breakOff(error)
        // What a connection that is closed had begun is malformed too, and nobody is there to be told.
        if task == nil, !isStalled, context.channel.isActive {
            // Nobody waits for an answer to the rest of a request that has been answered.
            isInRequest ? finish() : refuse(Problem(.badRequest))
        }
    }

    /// Answers what is not even a request.
    private func refuse(_ problem: Problem) {
        let requestID = RequestIdentifier.random()
        var head = Response.problem(problem, requestID: requestID).head
        head.headerFields[ServiceResponder.requestIDField] = requestID
        write(head, problem.body(requestID: requestID))
        endAnswer()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that has no more to ask may still read.
        guard case .some(.inputClosed) = event as? ChannelEvent, !isEnded else { return }
        isLast = true
        if task == nil, !isStalled { finish() }
    }

    /// Closes behind what has been written, and then the rest.
    private func finish() {
        guard let context else { return }
        isEnded = true
        close(context.channel, in: patience)
        guard let written else { return closeOutput() }
        written.assumeIsolated().whenComplete { _ in self.closeOutput() }
    }

    private func closeOutput() {
        guard let context else { return }
        context.close(mode: .output, promise: nil)
        close(context.channel, in: Self.lingering)
    }
}
