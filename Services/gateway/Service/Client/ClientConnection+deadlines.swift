import NIOCore
import ServiceKit

extension ClientConnection {
    /// How long an idle connection stays after the process has stopped to listen, for a request that is on its way.
    private static let closingGrace = TimeAmount.seconds(1)

    func checkDeadlines(now: NIODeadline) {
        let limits = lane.limits
        switch stage {
        case .idle:
            let since = now - lastProgress
            if since > (isHeldBack ? limits.idle : limits.keepAlive) { return close() }
            guard let closing = lane.closingSince, !isHeldBack else { return }
            if now - closing > Self.closingGrace, since > Self.closingGrace { end(lingers: false) }
        case .head:
            if now - began > limits.head { refuse(Problem(.requestTimeout)) }
        case .token, .connecting:
            if now - began > limits.request { refuse(Problem(.upstreamTimeout)) }
            probe(now)
        case .exchange:
            checkExchange(now, limits)
        case .stream:
            if let listener { lane.live?.check(listener, now: now) }
        case .lingering:
            if now - lastProgress > (hasLeft ? limits.linger : limits.idle) { close() }
        case .closed:
            break
        }
    }

    private func checkExchange(_ now: NIODeadline, _ limits: GatewayLimits) {
        guard let upstream else {
            // Held until other loops have forgotten a token.
            return
        }
        let isOverall = now - began > limits.request
        if status != 0 {
            // Within the answer, either side may have stalled.
            if isOverall || now - lastProgress > limits.idle { breakOff() }
        } else if !requestEnded {
            guard isOverall || now - lastProgress > limits.idle else { return }
            if upstream.isWritable { return refuse(Problem(.requestTimeout)) }
            upstream.noteTimeout()
            refuse(Problem(.upstreamTimeout))
        } else if isOverall || now - lastProgress > limits.firstByte {
            upstream.noteTimeout()
            refuse(Problem(.upstreamTimeout))
        } else {
            probe(now)
        }
    }

    /// A client that has sent everything and half-closed looks like one that is gone. An interim answer, which every
    /// client must be able to take (RFC 9110, section 15.2), makes the system of one that is gone answer with a reset.
    private func probe(_ now: NIODeadline) {
        guard isHalfClosed, now - lastProbe > lane.limits.halfClosedProbe else { return }
        lastProbe = now
        // HTTP/1.0 has no interim answers: whoever half-closes there is taken to be gone.
        guard shape?.isHTTP11 == true else { return close() }
        context?.writeAndFlush(NIOAny(Self.goAhead), promise: nil)
    }
}
