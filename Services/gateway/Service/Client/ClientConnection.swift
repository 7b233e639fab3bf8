import Identity
import NIOCore
import NIOHTTP1
import ServiceKit

/// A client's connection: takes one request after another, passes each on to an upstream of the same event loop and the
/// answer back, both as they come.
///
/// Behind a ``RequestReader``, which decides what is read, and whose context it writes to.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    enum Stage: Equatable {
        /// Between requests.
        case idle
        /// The head of a request is on its way.
        case head
        /// Waiting to know whose the token is.
        case token
        /// Waiting for a connection to an upstream.
        case connecting
        /// Request and answer flow.
        case exchange
        /// The client is told of events as they come.
        case stream
        /// The last answer has been written; what the client still sends is thrown away.
        case lingering
        case closed
    }

    unowned let lane: Lane
    /// Where the lane keeps it.
    var index = 0
    let remoteAddress: String
    private(set) var reader: RequestReader?

    var stage = Stage.idle
    /// Tells one request of this connection from the next, for whoever calls back later.
    var serial: UInt64 = 0

    // The request
    var head: HTTPRequestHead?
    var shape: RequestShape?
    var token: Token?
    var claims = Claims.anonymous
    var requestID = ""
    var trace = RequestTrace()
    var began = NIODeadline.uptimeNanoseconds(0)
    var requestBytes = 0
    var requestEnded = false
    /// Whether the request is sent upstream chunked.
    var sendsChunks = false

    // The upstream
    var upstream: UpstreamConnection?
    var lastEndpoint: UpstreamEndpoint?
    var attempts = 0

    // The answer
    var out = ByteBuffer()
    var status = 0
    var answerBytes = 0
    var answerEnded = false
    /// Whether a byte of the answer has been handed to the socket.
    var isOnWire = false
    var framing = AnswerFraming.none
    var closesAfter = false
    /// Whether the answer is kept back until no loop remembers what it revoked.
    var isHeld = false

    /// The client's place among those who are told of events.
    var listener: LiveListener?

    // Time
    var lastProgress = NIODeadline.uptimeNanoseconds(0)
    var lastProbe = NIODeadline.uptimeNanoseconds(0)
    var isHalfClosed = false
    /// Whether the next request waits until the client has read more of what it was answered.
    var isHeldBack = false
    /// Whether the last answer has been handed to the system, to its end.
    var hasLeft = false

    /// How the answer's body is framed for the client.
    enum AnswerFraming { case none, length, chunked, untilClose }

    init(lane: Lane, remoteAddress: String) {
        self.lane = lane
        self.remoteAddress = remoteAddress
    }

    /// Puts the handlers of a client's connection into its pipeline.
    func install(_ channel: any Channel) throws {
        let reader = RequestReader(client: self, limits: lane.limits)
        self.reader = reader
        try channel.pipeline.syncOperations.addHandlers(reader, self)
    }

    var context: ChannelHandlerContext? { reader?.context }

    // MARK: ChannelHandler

    func channelActive(context: ChannelHandlerContext) {
        lastProgress = lane.now
        if !lane.add(self) {
            refuse(Problem(.temporarilyUnavailable, "Too many connections; try again in a moment.", retryAfter: 1))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        lane.remove(self)
        reader = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The decoder's faults are answered where they are thrown; everything else is the connection's end.
        if error is HTTPParserError { return }
        close()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let bytes): pass(bytes)
        case .end(let trailers):
            guard let trailers, stage == .exchange || stage == .token || stage == .connecting else { return }
            if let problem = RequestRules.check(trailers: trailers) { refuse(problem) }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            lastProgress = lane.now
            if !isHeld { upstream?.setReading(true) }
            if isHeldBack { readNext() }
            if let listener { lane.live?.isWritable(listener) }
        }
    }

    /// Whatever was going on ends here: the client is gone.
    private func ended() {
        guard stage != .closed else { return }
        if stage == .exchange || stage == .token || stage == .connecting { finishRecord(aborted: true) }
        if listener != nil { leaveStream() }
        stage = .closed
        serial += 1
        dropUpstream()
    }

    func close() {
        let context = context
        ended()
        context?.close(promise: nil)
    }

    /// The upstream's connection is of no use any more: what it carries is unfinished.
    func dropUpstream() {
        upstream?.abort()
        upstream = nil
    }

    // MARK: From the reader

    /// The first bytes of a request are there.
    func requestBegins() {
        stage = .head
        began = lane.readClock()
        lastProgress = began
    }

    /// The request's head has been decoded.
    func headIsWhole() {
        guard let head else { return refuse(Problem(.badRequest)) }
        attempts = 0
        requestBytes = 0
        serial += 1
        switch RequestRules.check(head, limits: lane.limits) {
        case .failure(let problem):
            refuse(problem)
        case .success(let shape):
            self.shape = shape
            requestEnded = !shape.hasContent
            requestID = RequestIDs.id(of: shape, &lane.random)
            trace = RequestTrace(continuing: shape.traceparent, &lane.random)
            reader?.expect(shape.body)
            route(shape)
        }
    }

    /// The request's last byte has been passed on.
    func requestEnds() {
        guard stage == .exchange, !requestEnded else { return }
        requestEnded = true
        lastProgress = lane.now
        guard let upstream else { return }
        if sendsChunks { upstream.send(Self.lastChunk) }
        upstream.endRequest()
        upstream.flush()
    }

    static let lastChunk = ByteBuffer(string: "0\r\n\r\n")

    /// Nothing more has been read for now.
    func readComplete() {
        if stage == .exchange, !requestEnded { upstream?.flush() }
    }

    /// The client will send nothing more; it may well wait for its answer.
    func inputEnded() {
        switch stage {
        case .closed: break
        // What it was answered goes out first.
        case .lingering: if hasLeft { close() }
        case .head: end(lingers: false)
        case .idle:
            // And what it has asked already is answered.
            guard isHeldBack, reader?.hasPending == true else { return end(lingers: false) }
            isHalfClosed = true
        case .token, .connecting, .exchange:
            // In the midst of a body it is the end of the request too; unless the rest is there and waits to be read.
            guard requestEnded || reader?.hasPending == true else { return close() }
            isHalfClosed = true
            lastProbe = lane.now
        case .stream:
            // If the client is gone, its system answers the next piece with a reset.
            guard shape?.isHTTP11 == true, let listener else { return close() }
            lane.live?.beat(listener)
        }
    }

    // MARK: The request's way

    private func route(_ shape: RequestShape) {
        switch shape.route {
        case .none: refuse(Problem(.notFound))
        case .live: answerHealth(shape, isReady: true)
        case .ready: answerHealth(shape, isReady: lane.drainingSince == nil)
        case .service: identify(shape)
        case .events:
            if let problem = Self.streamProblem(shape) { refuse(problem) } else { identify(shape) }
        }
    }

    /// Finds out who asks.
    private func identify(_ shape: RequestShape) {
        token = nil
        claims = .anonymous
        guard let field = shape.authorization, let token = Token(authorization: field), let tokens = lane.tokens else {
            return goOn()
        }
        self.token = token
        if let known = tokens.known(token) {
            claims = known
            return goOn()
        }
        stage = .token
        let serial = serial
        tokens.find(token) { [self] found in
            guard serial == self.serial, stage == .token else { return }
            claims = found
            goOn()
        }
    }

    /// It is known who asks.
    private func goOn() {
        if case .events = shape?.route { openStream() } else { connect() }
    }

    func connect() {
        guard let shape, case .service(let service) = shape.route else { return }
        stage = .connecting
        let reuse: ConnectionReuse = attempts > 0 ? .never : shape.isRetriable ? .any : .sound
        lane.pool(service).lease(self, serial: serial, avoiding: lastEndpoint, reuse: reuse)
    }

    /// Passes a piece of the request's content on.
    private func pass(_ bytes: ByteBuffer) {
        requestBytes += bytes.readableBytes
        guard requestBytes <= lane.limits.bodyBytes else { return refuse(Problem(.payloadTooLarge)) }
        guard stage == .exchange, let upstream else { return }
        lastProgress = lane.now
        if sendsChunks {
            var size = lane.takeBuffer()
            size.writeHex(bytes.readableBytes)
            size.writeStaticString("\r\n")
            upstream.send(size)
            lane.giveBack(size)
            upstream.send(bytes)
            upstream.send(Self.lineEnd)
        } else {
            upstream.send(bytes)
        }
        if !upstream.isWritable {
            upstream.flush()
            if !upstream.isWritable { reader?.pause() }
        }
    }

    static let lineEnd = ByteBuffer(string: "\r\n")
}
