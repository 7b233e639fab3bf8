import NIOCore
import NIOHTTP1

/// A connection to one upstream address, on one event loop: idle, or carrying one request.
///
/// It goes back to the pool only when both request and answer are whole and not a byte has come beyond the answer.
final class UpstreamConnection: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case head(HeadScanner)
        case length(Int)
        case chunked(ChunkScanner)
        case untilClose
        case ended
    }

    let endpoint: UpstreamEndpoint
    private unowned let pool: UpstreamPool
    private(set) var context: ChannelHandlerContext?
    private var decoder: HTTPResponseDecoder
    private var feed = DecoderFeed()
    private var pending = ByteBuffer()
    private var phase = Phase.ended
    private var receiver: (any UpstreamReceiver)?

    private var head: HTTPResponseHead?
    private var decoderEnded = false
    private var isHead = false
    private var requestEnded = false
    private var informational = 0
    private var hasFailed = false
    private var isReading = true
    private var readIsDue = false
    /// Whether a byte of the answer has come.
    private(set) var hasAnswerBegun = false
    /// Whether an earlier request was carried on this connection.
    private(set) var isReused = false
    /// When the connection became idle.
    var idleSince = NIODeadline.uptimeNanoseconds(0)

    /// Answers have larger heads than requests may: they come from our own services.
    private static let headBytes = 64 * 1024
    private static let headerFields = 128

    init(endpoint: UpstreamEndpoint, pool: UpstreamPool) {
        self.endpoint = endpoint
        self.pool = pool
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = Self.headBytes
        limits.maxHeaderFieldCount = Self.headerFields
        decoder = HTTPResponseDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
    }

    var isOpen: Bool { context?.channel.isActive ?? false }

    /// Whether the other side has not ended it, as far as the system knows: the loop may not have been told yet.
    var isSound: Bool {
        #if os(Linux)
        guard let channel = context?.channel as? any SocketOptionProvider else { return false }
        var isEstablished = false
        // Answered at once on the channel's own loop. 1 is TCP_ESTABLISHED (netinet/tcp.h); a peer's FIN makes it
        // CLOSE_WAIT, a reset CLOSE.
        channel.getTCPInfo().assumeIsolated().whenSuccess { isEstablished = $0.tcpi_state == 1 }
        return isEstablished
        #else
        return isOpen
        #endif
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    // MARK: The request

    /// Starts a request. Its head is already serialised.
    func send(head bytes: ByteBuffer, method: HTTPMethod, for receiver: any UpstreamReceiver) {
        self.receiver = receiver
        hasAnswerBegun = false
        requestEnded = false
        informational = 0
        isHead = method == .HEAD
        phase = .head(HeadScanner(maximumBytes: Self.headBytes, maximumFields: Self.headerFields))
        // The decoder wants to know the method, on which the framing of the answer depends.
        decoder.write(data: isHead ? Self.headPart : Self.anyPart)
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    private static let headPart = HTTPClientRequestPart.head(.init(version: .http1_1, method: .HEAD, uri: "/"))
    private static let anyPart = HTTPClientRequestPart.head(.init(version: .http1_1, method: .GET, uri: "/"))

    func send(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    /// Everything of the request has been written.
    func endRequest() {
        requestEnded = true
    }

    func flush() {
        context?.flush()
    }

    /// Gives the request up. The receiver hears nothing more.
    func abort() {
        detach()
        context?.close(promise: nil)
    }

    /// The request, or its answer, has not come on for too long.
    func noteTimeout() {
        pool.noteFailure(of: endpoint)
    }

    /// Goes back to the pool before anything was sent.
    func giveBackUnused() {
        endpoint.inFlight -= 1
        pool.giveBack(self)
    }

    /// Closes an idle connection.
    func close() {
        context?.close(promise: nil)
    }

    /// Reading stops while whoever gets the answer can't take more.
    func setReading(_ reads: Bool) {
        isReading = reads
        if reads, readIsDue {
            readIsDue = false
            context?.read()
        }
    }

    private func detach() {
        guard receiver != nil else { return }
        receiver = nil
        endpoint.inFlight -= 1
    }

    private func fail(_ fault: UpstreamFault) {
        guard let receiver else { return }
        // A connection that was closed while it was idle says nothing about the upstream's health.
        if fault == .badAnswer || !isReused || hasAnswerBegun {
            pool.noteFailure(of: endpoint)
        } else {
            // But where its process was killed, the others end too, one by one: the next attempt must not be on one of them.
            endpoint.closeIdle()
            pool.lane.suspect(pool.service, endpoint)
        }
        detach()
        context?.close(promise: nil)
        receiver.upstreamFailed(fault)
    }

    private func finish() {
        guard let receiver else { return }
        detach()
        endpoint.health.noteSuccess()
        isReused = true
        setReading(true)
        let isKept = head?.isKeepAlive ?? false
        // A service that is about to go says so with each answer: perhaps this is the first to tell.
        if !isKept { pool.lane.suspect(pool.service, endpoint) }
        let isReusable = isKept && requestEnded && pending.readableBytes == 0 && !hasFailed
        head = nil
        if isReusable, isOpen { pool.giveBack(self) } else { context?.close(promise: nil) }
        receiver.upstreamEnd()
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        decoder.decoderAdded(context: context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if isReading { context.read() } else { readIsDue = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard receiver != nil else {
            // Nobody asked: whatever it is, the next request must not get it for its answer.
            pool.forget(self)
            return context.close(promise: nil)
        }
        hasAnswerBegun = true
        var bytes = unwrapInboundIn(data)
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
        process(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.upstreamReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        receiver?.upstreamWritability(context.channel.isWritable)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        hasFailed = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        pool.forget(self)
        pool.figures.connections -= 1
        if case .untilClose = phase, !hasFailed, receiver != nil {
            // The end of the connection is the end of the answer (RFC 9112, section 6.3).
            finish()
        }
        fail(hasAnswerBegun ? .endedWithinAnswer : .endedBeforeAnswer)
    }

    // MARK: The answer

    private func process(_ context: ChannelHandlerContext) {
        while receiver != nil, pending.readableBytes > 0 {
            do {
                guard try step(context) else { break }
            } catch {
                return fail(.badAnswer)
            }
        }
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        if case .ended = phase { finish() }
    }

    /// Takes what it can from `pending`; false if it needs more, or is done.
    private func step(_ context: ChannelHandlerContext) throws -> Bool {
        switch phase {
        case .head(var scanner):
            switch pending.withUnsafeReadableBytes({ scanner.scan($0) }) {
            case .incomplete:
                phase = .head(scanner)
                return false
            case .complete(let length, _):
                return try takeHead(length, context)
            case .malformed, .tooLarge, .tooManyFields:
                throw UpstreamFault.badAnswer
            }
        case .length(let length):
            let count = min(length, pending.readableBytes)
            try decode(count, context)
            phase = count == length ? .ended : .length(length - count)
            try checkEnd()
            return count < length
        case .chunked(var scanner):
            let count = try pending.withUnsafeReadableBytes { try scanner.advance($0) }
            try decode(count, context)
            phase = scanner.isDone ? .ended : .chunked(scanner)
            try checkEnd()
            return !scanner.isDone
        case .untilClose:
            try decode(pending.readableBytes, context)
            return true
        case .ended:
            return false
        }
    }

    private func takeHead(_ length: Int, _ context: ChannelHandlerContext) throws -> Bool {
        head = nil
        decoderEnded = false
        try decode(length, context)
        guard let head else {
            // An interim answer, which the decoder has dropped: ours to handle, not the client's (RFC 9110, section 15.2).
            informational += 1
            guard informational <= 8 else { throw UpstreamFault.badAnswer }
            phase = .head(HeadScanner(maximumBytes: Self.headBytes, maximumFields: Self.headerFields))
            return true
        }
        // Nothing was asked that could be switched to.
        guard head.status.code >= 200 else { throw UpstreamFault.badAnswer }
        let body = try ResponseRules.body(of: head, isHead: isHead)
        switch body {
        case .none, .length(0): phase = .ended
        case .length(let length): phase = .length(length)
        case .chunked: phase = .chunked(ChunkScanner())
        case .untilClose: phase = .untilClose
        }
        try checkEnd()
        receiver?.upstreamHead(head, body: body)
        if case .ended = phase { return false }
        return true
    }

    private func decode(_ count: Int, _ context: ChannelHandlerContext) throws {
        guard let slice = pending.readSlice(length: count) else { throw UpstreamFault.badAnswer }
        try feed.feed(slice, to: &decoder, context: context)
    }

    /// Both must agree where the answer ends.
    private func checkEnd() throws {
        if case .ended = phase {
            guard decoderEnded else { throw UpstreamFault.badAnswer }
        } else if decoderEnded {
            throw UpstreamFault.badAnswer
        }
    }

    /// A part from the decoder.
    fileprivate func take(_ part: HTTPClientResponsePart) {
        switch part {
        case .head(let head): self.head = head
        case .body(let bytes): receiver?.upstreamBody(bytes)
        case .end: decoderEnded = true
        }
    }
}

/// Hands what the decoder fires back to the connection that drives it.
final class ResponsePartRelay: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let connection: UpstreamConnection

    init(_ connection: UpstreamConnection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.take(unwrapInboundIn(data))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
