import NIOCore

/// One address of a service, as one event loop sees it.
final class UpstreamEndpoint {
    let address: SocketAddress
    /// The `Host` field for requests to it.
    let authority: String
    /// Requests it has now.
    var inFlight = 0
    /// Connections that wait for a request, the most recent last.
    var idle: [UpstreamConnection] = []
    /// What its last active check said.
    var isReady = true
    /// Whether it is no longer one of the service's addresses.
    var isRemoved = false
    private(set) var ejectedUntil = NIODeadline.uptimeNanoseconds(0)
    /// Whether the last attempts to connect waited in vain, instead of being refused.
    private(set) var isSilent = false
    private var failures = 0

    /// So many failures in a row eject an address.
    static let failuresToEject = 5

    init(address: SocketAddress, authority: String) {
        self.address = address
        self.authority = authority
    }

    func isEjected(now: NIODeadline) -> Bool { ejectedUntil > now }

    func noteSuccess() {
        failures = 0
        isSilent = false
    }

    /// A connection broke or an answer made no sense.
    func noteFailure(now: NIODeadline) {
        failures += 1
        if failures >= Self.failuresToEject { eject(now) }
    }

    /// No connection could be made.
    func noteConnectFailure(now: NIODeadline, timedOut: Bool) {
        failures = max(failures + 1, Self.failuresToEject)
        isSilent = timedOut
        eject(now)
    }

    /// An active check went well.
    func noteHealthy() {
        isReady = true
        if failures <= Self.failuresToEject || isSilent {
            noteSuccess()
            ejectedUntil = .uptimeNanoseconds(0)
        }
    }

    /// One second, then twice as long each time, up to eight.
    private func eject(_ now: NIODeadline) {
        let doublings = min(failures - Self.failuresToEject, 3)
        ejectedUntil = now + .seconds(1 << Int64(doublings))
    }
}
