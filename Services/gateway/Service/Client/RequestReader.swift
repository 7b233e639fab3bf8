import NIOCore
import NIOHTTP1
import ServiceKit

/// Cuts what a client sends into messages, one at a time, and has NIO decode each.
///
/// Bytes of a message that is not due yet wait here, at most one read of them: while they wait, nothing more is read
/// (RFC 9112, section 9.3.2, pipelining).
final class RequestReader: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case head(HeadScanner)
        case length(Int)
        case chunked(ChunkScanner)
        /// The message is whole; the next one waits for ``next()``.
        case ended
        /// Whatever else comes is thrown away.
        case discarding
    }

    private let client: ClientConnection
    private let limits: GatewayLimits
    private var decoder: HTTPRequestDecoder
    private var feed = DecoderFeed()
    private var pending = ByteBuffer()
    private var phase: Phase
    private var isPaused = false
    private var isProcessing = false
    private var readIsDue = false
    private(set) var context: ChannelHandlerContext?
    /// Whether the client will send nothing more.
    private(set) var hasSeenEnd = false

    init(client: ClientConnection, limits: GatewayLimits) {
        self.client = client
        self.limits = limits
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderListSize = limits.headBytes
        decoderLimits.maxHeaderFieldCount = limits.headerFields * 2
        decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: decoderLimits)
        phase = .head(HeadScanner(maximumBytes: limits.headBytes, maximumFields: limits.headerFields))
    }

    /// Whether something of a next request is there already.
    var hasPending: Bool { pending.readableBytes > 0 }

    /// How the content of the head just decoded is framed. Nothing of it is read before ``resume()``.
    func expect(_ body: RequestShape.Body) {
        switch body {
        case .none, .empty: break
        case .length(let length):
            phase = .length(length)
            isPaused = true
        case .chunked:
            phase = .chunked(ChunkScanner())
            isPaused = true
        }
    }

    func pause() { isPaused = true }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        process()
        readIfDue()
    }

    /// The last request has been answered: on to the next.
    func next() {
        phase = .head(HeadScanner(maximumBytes: limits.headBytes, maximumFields: limits.headerFields))
        isPaused = false
        process()
        readIfDue()
    }

    /// No request is read any more.
    func discard() {
        phase = .discarding
        pending = ByteBuffer()
        isPaused = false
        readIfDue()
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
        // Reading goes on while a request is being answered, for that is how a client's end is seen, unless there is
        // already something that waits.
        if isFull { readIsDue = true } else { context.read() }
    }

    /// Whether there is something that waits until it is due.
    private var isFull: Bool {
        guard hasPending else { return false }
        if case .ended = phase { return true }
        return isPaused
    }

    private func readIfDue() {
        guard readIsDue, !isFull else { return }
        readIsDue = false
        context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .discarding = phase { return }
        var bytes = unwrapInboundIn(data)
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
        process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        client.readComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed = event as? ChannelEvent {
            hasSeenEnd = true
            client.inputEnded()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Messages

    private func process() {
        guard !isProcessing, let context else { return }
        isProcessing = true
        while !isPaused, pending.readableBytes > 0 {
            do {
                guard try step(context) else { break }
            } catch let problem as Problem {
                client.refuse(problem)
                break
            } catch {
                // NIO's parser, whose message is for developers.
                client.refuse(Problem(.badRequest, "The request is not valid HTTP/1.1."))
                break
            }
        }
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        isProcessing = false
        if hasSeenEnd, !isPaused, !hasPending, isWithinMessage { client.inputEnded() }
    }

    /// Whether more must come for the message to be whole.
    private var isWithinMessage: Bool {
        switch phase {
        case .head(let scanner): !scanner.isFresh
        case .length, .chunked: true
        case .ended, .discarding: false
        }
    }

    /// Takes what it can from `pending`; false if it needs more, or if what is there is not due.
    private func step(_ context: ChannelHandlerContext) throws -> Bool {
        switch phase {
        case .head(var scanner):
            if scanner.isFresh {
                skipEmptyLines()
                if pending.readableBytes == 0 { return false }
                client.requestBegins()
            }
            switch pending.withUnsafeReadableBytes({ scanner.scan($0) }) {
            case .incomplete:
                phase = .head(scanner)
                return false
            case .complete(let length, let firstLine):
                try takeHead(length, firstLine: firstLine, context)
                return true
            case .malformed: throw Problem(.badRequest, "The request is not valid HTTP/1.1.")
            case .tooLarge:
                // If not even the line is whole, it is the target that is too long.
                throw Problem(firstLineIsWhole ? .headersTooLarge : .uriTooLong)
            case .tooManyFields: throw Problem(.headersTooLarge)
            }
        case .length(let length):
            let count = min(length, pending.readableBytes)
            phase = count == length ? .ended : .length(length - count)
            try decode(count, context)
            if count == length { client.requestEnds() }
            return true
        case .chunked(var scanner):
            let count: Int
            do {
                count = try pending.withUnsafeReadableBytes { bytes throws(ChunkScanner.Fault) in
                    try scanner.advance(bytes)
                }
            } catch {
                throw Problem(.badRequest, "The chunked body is not valid.")
            }
            phase = scanner.isDone ? .ended : .chunked(scanner)
            try decode(count, context)
            if scanner.isDone { client.requestEnds() }
            return true
        case .ended:
            return false
        case .discarding:
            pending = ByteBuffer()
            return false
        }
    }

    private func takeHead(_ length: Int, firstLine: Int, _ context: ChannelHandlerContext) throws {
        let problem = pending.withUnsafeReadableBytes {
            RequestRules.check(requestLine: .init(rebasing: $0[..<firstLine]), limits: limits)
        }
        if let problem { throw problem }
        phase = .ended
        try decode(length, context)
        client.headIsWhole()
    }

    private func decode(_ count: Int, _ context: ChannelHandlerContext) throws {
        guard let slice = pending.readSlice(length: count) else { return }
        try feed.feed(slice, to: &decoder, context: context)
    }

    /// RFC 9112, section 2.2: empty lines before a request line are skipped.
    private func skipEmptyLines() {
        while let two = pending.getInteger(at: pending.readerIndex, as: UInt16.self), two == 0x0D0A {
            pending.moveReaderIndex(forwardBy: 2)
        }
    }

    private var firstLineIsWhole: Bool { pending.readableBytesView.contains(UInt8(ascii: "\n")) }
}
