import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Makes a connection end as its answers say, and gives the answers that Hummingbird writes by itself our form.
///
/// - An answer with `connection: close` is the last: this side closes after it, reads on for a moment so that the
///   answer is not lost to a reset (RFC 9112, section 9.6), then the rest goes too.
/// - What can't be parsed is answered by Hummingbird with an empty 400; it becomes a problem.
final class ConnectionEnd: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long to read what a client still sends after the last answer.
    private static let lingering = TimeAmount.seconds(1)

    /// Requests read and not yet answered.
    private var open = 0
    /// Between the head and the end of a request's body.
    private var isInBody = false
    private var isLast = false
    private var isEnded = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After the last answer everything is dropped, so that nothing more is begun.
        if isEnded { return }
        switch unwrapInboundIn(data) {
        case .head:
            open += 1
            isInBody = true
        case .body: break
        case .end: isInBody = false
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A method or target that HTTPTypes refuses is as malformed as what the parser refuses.
        context.fireErrorCaught(error is HTTP1TypeConversionError ? HTTPParserError.unknown : error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isEnded {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head):
            isLast = head.headerFields[.connection] == "close"
            if open == 0, head.status == .badRequest {
                // Nobody waits for an answer to the rest of a request that has been answered.
                isInBody ? silence(context, promise) : malformed(context, promise)
            } else {
                context.write(data, promise: promise)
            }
        case .body:
            context.write(data, promise: promise)
        case .end:
            open -= 1
            guard isLast else {
                context.write(data, promise: promise)
                return
            }
            end(context, data, promise)
        }
    }

    private func malformed(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        let requestID = RequestIdentifier.random()
        let problem = Problem(.badRequest)
        let body = problem.body(requestID: requestID)
        var head = HTTPResponse(status: .badRequest, headerFields: [.connection: "close"])
        for field in problem.fields {
            if let name = HTTPField.Name(field.name) { head.headerFields[name] = field.value }
        }
        head.headerFields[.contentLength] = String(body.readableBytes)
        head.headerFields[ServiceResponder.requestIDField] = requestID
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        end(context, wrapOutboundOut(.end(nil)), nil)
    }

    private func silence(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        isEnded = true
        promise?.succeed()
        context.close(promise: nil)
    }

    private func end(_ context: ChannelHandlerContext, _ data: NIOAny, _ promise: EventLoopPromise<Void>?) {
        isEnded = true
        context.writeAndFlush(data, promise: promise)
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { channel.close(promise: nil) }
    }
}
