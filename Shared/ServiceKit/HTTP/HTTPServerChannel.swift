import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// The connections of a service's server: HTTP/1.1 by NIO's handlers, requests by ``RequestHandler``.
///
/// It takes the place of Hummingbird's `HTTP1Channel`, which hands each part of a request and of an answer over between
/// the event loop and a task; here that happens once for each request and once for each answer.
struct HTTPServerChannel: ServerChildChannel {
    let responder: ServiceResponder
    /// Runs the handlers; nil where all tasks run.
    let executor: (any TaskExecutor)?
    let idleTimeout: Duration

    /// One connection.
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        fileprivate let handler: NIOLoopBound<RequestHandler>
        fileprivate let ended: EventLoopFuture<Void>
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            // All that the gateway takes (32 KiB, in one field perhaps), and what it adds.
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = 32 * 1024
            limits.maxHeaderListSize = 40 * 1024
            limits.maxHeaderFieldCount = 100
            let pipeline = channel.pipeline.syncOperations
            // One request after the other, and no further one once the server is to end. HTTP types are valid already.
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: true, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: idleTimeout, logger: logger))
            let handler = RequestHandler(
                responder: responder, executor: executor, patience: .nanoseconds(idleTimeout.nanoseconds))
            let ended = channel.eventLoop.makePromise(of: Void.self)
            handler.ended = ended
            do {
                try pipeline.addHandler(handler)
            } catch {
                ended.fail(error)
                throw error
            }
            return Value(
                channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop),
                ended: ended.futureResult)
        }
    }

    /// Until the connection is closed and its last request has been dealt with. When the task is cancelled, so is the
    /// request.
    func handle(value: Value, logger: Logger) async {
        await withTaskCancellationHandler {
            try? await value.ended.get()
        } onCancel: {
            value.channel.eventLoop.execute { value.handler.value.cancel() }
        }
    }
}
