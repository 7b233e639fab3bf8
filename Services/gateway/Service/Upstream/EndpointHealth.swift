import NIOCore

/// What one event loop thinks of an address: what the checks say of it, and what befell those who used it. Pure.
struct EndpointHealth {
    /// What the last check said.
    enum Standing: Sendable, Equatable {
        /// It has not been asked yet.
        case unknown
        case ready
        /// It answers, but says that it can't do its work: it has lost its database, or is starting.
        case unwell
        /// It is about to go. Its connections will be closed, and what is on them then is lost.
        case leaving
        /// It does not answer.
        case away
    }

    private(set) var standing = Standing.unknown
    private(set) var ejectedUntil = NIODeadline.uptimeNanoseconds(0)
    /// Whether the last attempts to connect waited in vain, instead of being refused.
    private(set) var isSilent = false
    /// Attempts to connect that failed in a row.
    private var refusals = 0
    /// Answers that broke, or made no sense, in a row.
    private var failures = 0

    /// So many broken answers in a row eject an address.
    static let failuresToEject = 5

    func isEjected(now: NIODeadline) -> Bool { ejectedUntil > now }

    /// Whether connections to it are still worth keeping.
    var isStaying: Bool {
        switch standing {
        case .unknown, .ready, .unwell: true
        case .leaving, .away: false
        }
    }

    /// An answer was whole.
    mutating func noteSuccess() {
        noteConnection()
        failures = 0
    }

    /// A connection could be made, which ends an ejection for want of one. One for broken answers lasts its time.
    private mutating func noteConnection() {
        guard refusals > 0 else { return }
        refusals = 0
        isSilent = false
        if failures < Self.failuresToEject { ejectedUntil = .uptimeNanoseconds(0) }
    }

    /// A connection broke or an answer made no sense.
    ///
    /// - Returns: whether that ejects it.
    mutating func noteFailure(now: NIODeadline) -> Bool {
        failures += 1
        guard failures >= Self.failuresToEject else { return false }
        return eject(now, doublings: failures - Self.failuresToEject)
    }

    /// No connection could be made.
    ///
    /// - Returns: whether it was not ejected before.
    mutating func noteConnectFailure(now: NIODeadline, timedOut: Bool) -> Bool {
        refusals += 1
        isSilent = timedOut
        return eject(now, doublings: refusals - 1)
    }

    /// What a check says, which has just made a connection if it was answered.
    mutating func note(_ standing: Standing) {
        self.standing = standing
        if standing == .ready || standing == .unwell { noteConnection() }
    }

    /// One second, then twice as long each time, up to eight.
    private mutating func eject(_ now: NIODeadline, doublings: Int) -> Bool {
        let wasEjected = isEjected(now: now)
        ejectedUntil = max(ejectedUntil, now + .seconds(1 << Int64(min(doublings, 3))))
        return !wasEjected
    }
}
