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
    var health = EndpointHealth()
    /// Whether it is no longer one of the service's addresses.
    var isRemoved = false
    private var lastSuspected = NIODeadline.uptimeNanoseconds(0)

    private static let suspicionInterval = TimeAmount.milliseconds(100)

    init(address: SocketAddress, authority: String) {
        self.address = address
        self.authority = authority
    }

    /// Whether to have it asked how it is, once in a while.
    func isSuspicious(now: NIODeadline) -> Bool {
        guard !isRemoved, now - lastSuspected >= Self.suspicionInterval else { return false }
        lastSuspected = now
        return true
    }

    /// Whether a connection that has done its work is kept.
    var isKeeping: Bool { !isRemoved && health.isStaying }

    func closeIdle() {
        let connections = idle
        idle = []
        for connection in connections { connection.close() }
    }
}

/// An address of a service, and the name under which it was found.
public struct UpstreamAddress: Sendable, Hashable {
    public var socket: SocketAddress
    public var authority: String

    /// - Parameters:
    ///   - socket: where to connect to.
    ///   - authority: the `Host` of requests to it.
    public init(socket: SocketAddress, authority: String) {
        self.socket = socket
        self.authority = authority
    }
}
