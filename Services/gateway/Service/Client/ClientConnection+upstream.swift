import Identity
import NIOCore
import NIOHTTP1
import ServiceKit

/// What an upstream does to a request.
extension ClientConnection: UpstreamReceiver {
    /// How often a request that may be sent again is sent in all.
    static let maximumAttempts = 3

    func upstreamConnected(_ connection: UpstreamConnection, serial: UInt64) {
        guard serial == self.serial, stage == .connecting, let shape, let head else {
            return connection.giveBackUnused()
        }
        stage = .exchange
        upstream = connection
        lastEndpoint = connection.endpoint
        lastProgress = lane.now
        connection.setReading(true)
        var bytes = lane.takeBuffer()
        writeRequestHead(shape, head, to: connection.endpoint, into: &bytes)
        connection.send(head: bytes, method: shape.method, for: self)
        lane.giveBack(bytes)
        if requestEnded {
            connection.endRequest()
            connection.flush()
        } else {
            // What has already arrived of the body leaves with the head.
            if shape.expectsContinue, reader?.hasPending == false {
                context?.writeAndFlush(NIOAny(Self.goAhead), promise: nil)
            }
            reader?.resume()
            upstream?.flush()
        }
    }

    static let goAhead = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")

    func upstreamRefused(_ fault: UpstreamFault, by endpoint: UpstreamEndpoint?, serial: UInt64) {
        guard serial == self.serial, stage == .connecting, let shape, case .service(let service) = shape.route else {
            return
        }
        // No connection, so nothing was carried out, whatever the method.
        if fault == .unreachable, attempts + 1 < Self.maximumAttempts, lane.pool(service).endpoints.count > 1 {
            lastEndpoint = endpoint
            return tryAgain(service)
        }
        refuse(Self.problem(of: fault))
    }

    func upstreamHead(_ answer: HTTPResponseHead, body: ResponseBody) {
        guard stage == .exchange, let shape else { return }
        lastProgress = lane.now
        status = Int(answer.status.code)
        // A client that is still sending can't be kept: nobody wants the rest.
        closesAfter = !shape.keepAlive || !requestEnded || lane.drainingSince != nil
        var length: Int?
        switch body {
        case .none: framing = .none
        case .length(let count):
            framing = .length
            length = count
        case .chunked, .untilClose: framing = shape.isHTTP11 ? .chunked : .untilClose
        }
        if framing == .untilClose { closesAfter = true }
        out = lane.takeBuffer()
        writeAnswerHead(answer, shape: shape, length: length)
        if case .service(.accounts) = shape.route, !shape.isReadOnly, let tokens = lane.tokens {
            // What this answer says to be revoked must be forgotten everywhere before the client reads it.
            isHeld = true
            upstream?.setReading(false)
            let serial = serial
            tokens.settle(
                token,
                everywhere: { [self] in
                    guard serial == self.serial, isHeld else { return }
                    isHeld = false
                    upstream?.setReading(true)
                    if answerEnded { complete() } else { flush() }
                })
        }
    }

    func upstreamBody(_ bytes: ByteBuffer) {
        guard stage == .exchange else { return }
        lastProgress = lane.now
        answerBytes += bytes.readableBytes
        if framing == .chunked {
            out.writeHex(bytes.readableBytes)
            out.writeStaticString("\r\n")
        }
        // Small pieces are copied behind the head, so that they leave in one write.
        if isHeld || bytes.readableBytes <= 8 * 1024 {
            out.writeImmutableBuffer(bytes)
        } else {
            writeOut()
            context?.write(NIOAny(bytes), promise: nil)
        }
        if framing == .chunked { out.writeStaticString("\r\n") }
        if !isHeld, out.readableBytes > 64 * 1024 { writeOut() }
    }

    func upstreamEnd() {
        guard stage == .exchange else { return }
        upstream = nil
        answerEnded = true
        if framing == .chunked { out.writeStaticString("0\r\n\r\n") }
        if !isHeld { complete() }
    }

    func upstreamFailed(_ fault: UpstreamFault) {
        guard stage == .exchange, let shape, case .service(let service) = shape.route else { return }
        upstream = nil
        guard !isOnWire else { return breakOff() }
        if fault == .endedBeforeAnswer, shape.isRetriable, attempts + 1 < Self.maximumAttempts {
            return tryAgain(service)
        }
        refuse(Self.problem(of: fault))
    }

    private func tryAgain(_ service: ServiceName) {
        attempts += 1
        lane.pool(service).figures.retries += 1
        connect()
    }

    func upstreamReadComplete() {
        if stage == .exchange, !isHeld { flush() }
        if let context, !context.channel.isWritable { upstream?.setReading(false) }
    }

    func upstreamWritability(_ isWritable: Bool) {
        guard stage == .exchange, !requestEnded else { return }
        lastProgress = lane.now
        if isWritable { reader?.resume() } else { reader?.pause() }
    }

    private static func problem(of fault: UpstreamFault) -> Problem {
        switch fault {
        case .noneAvailable: .unavailable()
        case .timedOut: Problem(.upstreamTimeout)
        case .unreachable, .endedBeforeAnswer, .endedWithinAnswer, .badAnswer: Problem(.upstreamUnreachable)
        }
    }
}
