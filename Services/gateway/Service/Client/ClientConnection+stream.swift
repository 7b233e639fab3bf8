import NIOCore
import NIOHTTP1
import ServiceKit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// `/api/v1/events`: an answer that does not end (HTML Standard, "Server-sent events").
extension ClientConnection {
    /// How long a system may leave what was sent unacknowledged until its end is taken to be gone, in milliseconds.
    private static let unacknowledged: SocketOptionValue = 60_000

    /// What is wrong with a request for a stream, whoever sends it.
    static func streamProblem(_ shape: RequestShape) -> Problem? {
        guard shape.method == .GET || shape.method == .HEAD else {
            return Problem(.methodNotAllowed, allow: "GET, HEAD")
        }
        return shape.hasContent ? Problem(.badRequest, "This takes no body.") : nil
    }

    /// It is known who wants to listen.
    func openStream() {
        guard let shape, let live = lane.live, let tokens = lane.tokens else { return refuse(.unavailable()) }
        guard case .user(let user) = claims, let token else {
            return refuse(claims == .unverifiable ? .unavailable() : Problem(.notAuthenticated))
        }
        if shape.method == .HEAD { return answerStreamHead() }
        switch live.seats.take(user.id) {
        case .taken: break
        case .tooManyOfUser:
            return refuse(Problem(.tooManyRequests, "Too many streams are open for this user.", retryAfter: 5))
        case .full: return refuse(.unavailable(retryAfter: 5))
        }
        let lastID = head?.headers.first(name: "last-event-id")
        stage = .stream
        status = 200
        closesAfter = true
        framing = shape.isHTTP11 ? .chunked : .untilClose
        bound()
        out = lane.takeBuffer()
        writeStreamHead()
        flush()
        lane.giveBack(out)
        out = ByteBuffer()
        head = nil
        streamBegan()
        // Whatever the client still sends is not read as requests; its end is seen.
        reader?.discard()
        guard stage == .stream else { return live.seats.giveBack(user.id) }
        let listener = LiveListener(
            user: user, token: token, hash: tokens.hash(of: token), client: self, now: lane.now)
        self.listener = listener
        live.add(listener, lastID: lastID)
        // The others have been ended already. It is told so, and not 503, after which no browser comes back.
        if lane.closingSince != nil { live.end(listener, .drained) }
    }

    /// What GET would say.
    private func answerStreamHead() {
        status = 200
        closesAfter = !(shape?.keepAlive ?? false) || lane.drainingSince != nil
        framing = .none
        out = lane.takeBuffer()
        writeStreamHead()
        complete()
    }

    private func writeStreamHead() {
        out.writeStaticString(
            """
            HTTP/1.1 200 OK\r
            content-type: text/event-stream\r
            cache-control: no-store\r
            x-accel-buffering: no
            """)
        if framing == .chunked { out.writeStaticString("\r\ntransfer-encoding: chunked") }
        writeOwnFields()
    }

    /// Neither NIO's buffer nor the system's grows for a client that does not read, and one that has vanished is
    /// noticed.
    private func bound() {
        guard let options = context?.channel.syncOptions else { return }
        let bytes = lane.limits.live.bufferBytes
        try? options.setOption(.writeBufferWaterMark, value: .init(low: bytes / 2, high: bytes))
        try? options.setOption(.socketOption(.so_sndbuf), value: SocketOptionValue(bytes))
        #if os(Linux)
        try? options.setOption(
            ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT)),
            value: Self.unacknowledged)
        #endif
    }

    /// Whether the client takes more.
    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Sends a piece of the stream at once.
    func sendPiece(_ text: ByteBuffer) {
        guard stage == .stream, let context else { return }
        answerBytes += text.readableBytes
        guard framing == .chunked else { return context.writeAndFlush(NIOAny(text), promise: nil) }
        var piece = lane.takeBuffer()
        piece.writeHex(text.readableBytes)
        piece.writeStaticString("\r\n")
        piece.writeImmutableBuffer(text)
        piece.writeStaticString("\r\n")
        context.writeAndFlush(NIOAny(piece), promise: nil)
        lane.giveBack(piece)
    }

    /// Ends the stream.
    ///
    /// - Parameter gracefully: whether the client will see that it is whole.
    func endStream(gracefully: Bool) {
        guard stage == .stream else { return }
        guard gracefully else { return close() }
        leaveStream()
        if framing == .chunked { out.writeImmutableBuffer(Self.lastChunk) }
        end(lingers: true)
    }

    func leaveStream() {
        guard let listener else { return }
        self.listener = nil
        lane.live?.remove(listener)
        streamEnded()
    }
}
