import NIOCore

/// One connection: commands out in order, answers matched to them in order.
///
/// It never comes back: a command that times out, a broken stream or an answer nobody asked for ends it, because a late
/// answer would otherwise be taken for the next command's.
///
/// `@unchecked Sendable`: all its state belongs to `eventLoop`, on which every method but `init` is called.
final class RedisConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let eventLoop: any EventLoop
    /// What the server said of itself and of this connection; set by the handshake.
    private(set) var runID = ""
    private(set) var clientID: Int64 = 0
    /// Told once, before any waiting command is, so that whoever hears of a failed command already sees the link down.
    var onClose: ((RedisError) -> Void)?
    /// Pub/sub messages: arrays that begin with `message` or `pmessage`. nil: there are none on this connection.
    var onMessage: ((_ channel: ByteBuffer, _ payload: RESPValue) -> Void)?

    private let configuration: RedisConfiguration
    private let metrics: RedisMetrics
    private let reader: ReplyReader?
    private var queue: CommandQueue<Waiter>
    private var outbound = ByteBuffer()
    private var flushScheduled = false
    private var timer: Scheduled<Void>?
    private var pings: RepeatedTask?
    private var context: ChannelHandlerContext?
    private var closed = false
    private var closesWhenIdle = false

    init(_ configuration: RedisConfiguration, eventLoop: any EventLoop, metrics: RedisMetrics) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.metrics = metrics
        reader = ReplyReader(maxBytes: configuration.maxReplyBytes)
        queue = CommandQueue(capacity: max(configuration.maxInFlight, 16), timeout: configuration.commandTimeout)
    }

    var isClosed: Bool { closed }

    // MARK: Sending

    /// Puts a command in line; `flush` or `flushSoon` puts it on the wire.
    func send(_ request: Request, _ waiter: Waiter, id: UInt64 = 0, now: NIODeadline) {
        guard !closed else { return refuse(waiter, .unavailable) }
        guard !queue.isFull else { return refuse(waiter, .overloaded) }
        let command = request.command(runID: runID)
        guard !command.wire.isEmpty else { return refuse(waiter, .invalidCommand) }
        _ = queue.append(waiter, id: id, now: now)
        outbound.writeBytes(command.wire)
        if timer == nil { armTimer(at: now + configuration.commandTimeout) }
    }

    /// The same for the connection's owner, on the loop.
    func send(_ command: RedisCommand) -> EventLoopFuture<RESPValue> {
        let promise = eventLoop.makePromise(of: RESPValue.self)
        send(.command(command), .promise(promise), now: .now())
        flushSoon()
        return promise.futureResult
    }

    private func refuse(_ waiter: Waiter, _ code: RedisError.Code) {
        metrics.failed(code)
        waiter.fail(RedisError(code))
    }

    func flush() {
        guard outbound.readableBytes > 0, let context, !closed else { return }
        let bytes = outbound
        outbound = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// One write for all commands of this turn of the loop.
    func flushSoon() {
        guard !flushScheduled else { return }
        flushScheduled = true
        eventLoop.execute {
            self.flushScheduled = false
            self.flush()
        }
    }

    /// - Returns: who waited for the command, if it is in line here.
    func cancel(id: UInt64) -> Waiter? {
        queue.cancel(id: id)
    }

    // MARK: Receiving

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let reader, !closed else { return }
        do throws(RedisError) {
            try reader.feed(unwrapInboundIn(data)) { reply in
                self.receive(reply)
                return !self.closed
            }
        } catch {
            close(error)
        }
    }

    private func receive(_ reply: RESPValue) {
        if let onMessage, let (channel, payload) = Self.message(reply) {
            return onMessage(channel, payload)
        }
        guard let entry = queue.popFirst() else {
            return close(RedisError(.protocolViolation, "an answer to no command"))
        }
        if case .error(let error) = reply { metrics.failed(.server(prefix: error.prefix)) }
        entry.element?.succeed(reply)
        if closesWhenIdle, queue.isEmpty { close(RedisError(.closed)) }
    }

    private static func message(_ reply: RESPValue) -> (ByteBuffer, RESPValue)? {
        guard case .array(let parts) = reply, case .bulk(let kind)? = parts.first else { return nil }
        if parts.count == 3, kind.readableBytesView.elementsEqual("message".utf8), case .bulk(let channel) = parts[1] {
            return (channel, parts[2])
        }
        if parts.count == 4, kind.readableBytesView.elementsEqual("pmessage".utf8), case .bulk(let channel) = parts[2] {
            return (channel, parts[3])
        }
        return nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(RedisError(.connectionLost))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(RedisError(.connectionLost, String(describing: error)))
    }

    // MARK: Ending

    /// Ends it; the first `expired` commands in line are told `.timedOut`, the others the reason.
    func close(_ reason: RedisError, expired: Int = 0) {
        guard !closed else { return }
        closed = true
        timer?.cancel()
        pings?.cancel()
        let abandoned = queue.removeAll()
        let onClose = onClose
        self.onClose = nil
        onMessage = nil
        onClose?(reason)
        context?.close(promise: nil)
        for (index, entry) in abandoned.enumerated() {
            guard let waiter = entry.element else { continue }
            let error =
                switch reason.code {
                case .protocolViolation: reason
                default: RedisError(index < expired ? .timedOut : .connectionLost, reason.message)
                }
            metrics.failed(error.code)
            waiter.fail(error)
        }
    }

    /// Ends it as soon as every command in line is answered.
    func closeWhenIdle() {
        closesWhenIdle = true
        pings?.cancel()
        if queue.isEmpty { close(RedisError(.closed)) }
    }

    private func armTimer(at due: NIODeadline) {
        timer = eventLoop.scheduleTask(deadline: due) {
            self.timer = nil
            guard !self.closed else { return }
            switch self.queue.timerFired(due: due, now: .now()) {
            case .disarm: break
            case .rearm(let next): self.armTimer(at: next)
            case .expired(let count): self.close(RedisError(.timedOut), expired: count)
            }
        }
    }

    /// From now on an idle connection is pinged; a ping that isn't answered ends it, as any command would.
    func startPings() {
        pings = eventLoop.scheduleRepeatedTask(
            initialDelay: configuration.pingInterval, delay: configuration.pingInterval
        ) { _ in
            guard self.queue.isEmpty else { return }
            self.send(.command(["PING"]), .none, now: .now())
            self.flush()
        }
    }

    /// Known after the handshake.
    func identify(runID: String, clientID: Int64) {
        self.runID = runID
        self.clientID = clientID
    }
}
