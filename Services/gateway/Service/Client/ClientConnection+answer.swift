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

/// Answers, the gateway's own among them, and what comes after one.
extension ClientConnection {
    /// Answers with a problem, or breaks off if another answer has already begun.
    func refuse(_ problem: Problem) {
        guard stage != .closed, stage != .lingering else { return }
        guard !isOnWire else { return breakOff() }
        if requestID.isEmpty { requestID = RequestIDs.random(&lane.random) }
        answer(status: problem.status, fields: problem.fields, body: problem.body(requestID: requestID))
    }

    /// `/health/live` and `/health/ready`.
    func answerHealth(_ shape: RequestShape, isReady: Bool) {
        guard shape.method == .GET || shape.method == .HEAD else {
            return refuse(Problem(.methodNotAllowed, allow: "GET, HEAD"))
        }
        answer(
            status: isReady ? 200 : 503, fields: [("content-type", "application/json")],
            body: ByteBuffer(string: isReady ? #"{"status":"ok"}"# : #"{"status":"unavailable"}"#))
    }

    private func answer(status: Int, fields: [(name: String, value: String)], body: ByteBuffer) {
        // What is not finished upstream has no reader any more, and whoever calls back later is not meant.
        dropUpstream()
        serial += 1
        isHeld = false
        self.status = status
        closesAfter = !(shape?.keepAlive ?? false) || !requestEnded || lane.drainingSince != nil
        out = lane.takeBuffer()
        out.writeStaticString("HTTP/1.1 ")
        out.writeDecimal(status)
        out.writeStaticString(" ")
        out.writeString(HTTPResponseStatus(statusCode: status).reasonPhrase)
        for (name, value) in fields {
            out.writeStaticString("\r\n")
            out.writeString(name)
            out.writeStaticString(": ")
            out.writeString(value)
        }
        out.writeStaticString("\r\ncontent-length: ")
        out.writeDecimal(body.readableBytes)
        writeOwnFields()
        if head?.method != .HEAD { out.writeImmutableBuffer(body) }
        answerBytes = body.readableBytes
        answerEnded = true
        complete()
    }

    /// Hands what has been gathered to the channel.
    func writeOut() {
        guard out.readableBytes > 0 else { return }
        isOnWire = true
        context?.write(NIOAny(out), promise: nil)
        out.clear()
    }

    func flush() {
        guard out.readableBytes > 0 || isOnWire else { return }
        writeOut()
        context?.flush()
    }

    /// The answer is whole. Ends the connection or goes on to the next request.
    func complete() {
        finishRecord(aborted: false)
        let goesOn = !closesAfter && requestEnded && !(isHalfClosed && reader?.hasPending != true)
        if goesOn {
            stage = .idle
            flush()
            // The client may turn out to be gone.
            guard stage == .idle else { return }
            lane.giveBack(out)
            reset()
            lastProgress = lane.now
            readNext()
        } else {
            end(lingers: !requestEnded || reader?.hasPending == true)
        }
    }

    /// On to the next request, unless the client leaves unread what it was answered: answers must not pile up.
    func readNext() {
        isHeldBack = !isWritable
        guard !isHeldBack else { return }
        reader?.next()
        if stage == .idle, isHalfClosed, reader?.hasPending != true { end(lingers: false) }
    }

    private func reset() {
        head = nil
        shape = nil
        token = nil
        claims = .anonymous
        requestID = ""
        requestEnded = false
        upstream = nil
        lastEndpoint = nil
        out = ByteBuffer()
        status = 0
        answerBytes = 0
        answerEnded = false
        isOnWire = false
        isHeld = false
    }

    /// Writes what is left and closes. If the client is still sending, only after it stopped or its time is up: a TCP
    /// reset would take the answer away from it.
    func end(lingers: Bool) {
        stage = .lingering
        hasLeft = false
        serial += 1
        lastProgress = lane.now
        dropUpstream()
        reader?.discard()
        guard let context else { return }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(NIOAny(out), promise: written)
        out = ByteBuffer()
        written.futureResult.assumeIsolated().whenComplete { [self] _ in
            hasLeft = true
            lastProgress = lane.now
            guard lingers, reader?.hasSeenEnd == false else { return close() }
            self.context?.close(mode: .output, promise: nil)
        }
    }

    /// The answer can't become whole: the client must see that it isn't (RFC 9112, section 8).
    func breakOff() {
        // Where the end of the connection is the end of the answer, only a reset tells the difference.
        if framing == .untilClose, let channel = context?.channel as? any SocketOptionProvider {
            channel.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
        }
        close()
    }
}
