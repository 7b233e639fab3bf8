import Identity
import NIOCore

/// Whether those who listen still may.
extension LiveDispatcher {
    /// What is due for a listener.
    func check(_ listener: LiveListener, now: NIODeadline) {
        if let blocked = listener.blockedSince {
            if now - blocked > limits.stall { end(listener, .slow) }
            return
        }
        if now - listener.lastWrite >= limits.heartbeat {
            passOver(listener)
            beat(listener)
        }
        if now >= listener.recheckAt { verify(listener) }
    }

    /// What was not for a listener needs no look at its token: it counts as told, or so much of it would come by that what
    /// comes after it could not be told any more.
    private func passOver(_ listener: LiveListener) {
        guard !listener.isFlowing, !listener.owesReset else { return }
        for (source, replay) in zip(ServiceName.allCases, replays) {
            guard let seen = listener.seen[source], let floor = replay.floor, seen >= floor, seen < replay.position,
                replay.next(after: seen, for: listener.user) == nil
            else { continue }
            listener.seen[source] = replay.position
        }
    }

    /// A token has changed, or, for nil, any may have: nothing more is told before it has been looked up.
    func tokenChanged(_ hash: TokenHash?) {
        if let hash {
            for listener in byToken[hash] ?? [] {
                doubt(listener)
                verify(listener)
            }
        } else {
            for listener in listeners {
                doubt(listener)
                verifySoon(listener)
            }
        }
    }

    /// Not all at once; one for whom there is something to tell sooner.
    func verifySoon(_ listener: LiveListener) {
        let soon = lane.now + .milliseconds(Int64(lane.random.next() % 2_000))
        listener.recheckAt = min(listener.recheckAt, soon)
    }

    private func doubt(_ listener: LiveListener) {
        listener.doubts &+= 1
        if listener.isFlowing { listener.seen = listener.seen.furthest(told) }
        listener.isFlowing = false
        listener.isConfirmed = false
    }

    /// Looks the token up again, where the truth is and not in memory.
    func verify(_ listener: LiveListener) {
        guard !listener.isAsking, let tokens = lane.tokens else { return }
        listener.isAsking = true
        listener.recheckAt = lane.now + limits.recheck
        let doubts = listener.doubts
        let asked = told
        tokens.recheck(listener.token) { [self] claims in
            listener.isAsking = false
            guard !listener.hasEnded else { return }
            // The answer may be older than a change that was heard of since.
            if doubts == listener.doubts { verified(listener, claims, asked: asked) } else { verify(listener) }
        }
    }

    private func verified(_ listener: LiveListener, _ claims: Claims, asked: LiveCursor) {
        switch claims {
        case .user(let user) where user.id == listener.user && user.tokenID == listener.tokenID:
            confirm(listener, asked: asked)
        case .unverifiable:
            if lane.now - listener.confirmedAt > limits.doubt { return end(listener, .doubt) }
            listener.recheckAt = min(listener.recheckAt, lane.now + .seconds(2))
        case .user, .anonymous, .service:
            end(listener, .revoked)
        }
    }

    /// The token is good.
    ///
    /// - Parameter asked: how far events had come when it was asked for. While no change of it would be heard of, the
    ///   answer is good for those only.
    func confirm(_ listener: LiveListener, asked: LiveCursor) {
        let now = lane.now
        listener.confirmedAt = now
        let spread = UInt64(max(limits.recheck.nanoseconds / 4, 1))
        listener.recheckAt = now + limits.recheck - .nanoseconds(Int64(lane.random.next() % spread))
        listener.isConfirmed = true
        if lane.tokens?.isTrusted == true { return pump(listener) }
        pump(listener, through: asked)
        doubt(listener)
        if isOwed(listener) { verify(listener) }
    }

    /// Whether there is something that the listener has not been told.
    func isOwed(_ listener: LiveListener) -> Bool {
        guard listener.client.isWritable else { return false }
        return listener.owesReset
            || zip(ServiceName.allCases, replays).contains { source, replay in
                listener.seen[source].map { replay.next(after: $0, for: listener.user) != nil } ?? false
            }
    }
}
