import NIOCore
import NIOPosix

/// The connections of one event loop to one service.
final class UpstreamPool {
    let service: ServiceName
    unowned let lane: Lane
    private(set) var endpoints: [UpstreamEndpoint] = []

    init(service: ServiceName, lane: Lane) {
        self.service = service
        self.lane = lane
    }

    /// Takes over the service's present addresses; those that stay keep their connections.
    func update(_ addresses: [UpstreamAddress]) {
        var known: [SocketAddress: UpstreamEndpoint] = [:]
        for endpoint in endpoints { known[endpoint.address] = endpoint }
        endpoints = addresses.map { address in
            known.removeValue(forKey: address.socket)
                ?? UpstreamEndpoint(address: address.socket, authority: address.authority)
        }
        for gone in known.values {
            gone.isRemoved = true
            let idle = gone.idle
            gone.idle = []
            for connection in idle { connection.close() }
        }
    }

    /// Notes what an active check of an address said.
    func setReady(_ address: SocketAddress, _ isReady: Bool) {
        guard let endpoint = endpoints.first(where: { $0.address == address }) else { return }
        if isReady { endpoint.noteHealthy() } else { endpoint.isReady = false }
    }

    /// Calls `upstreamConnected` at once or later, or `upstreamRefused`.
    ///
    /// - Parameters:
    ///   - serial: handed back with the answer.
    ///   - avoiding: an address that has just failed; used only if there is no other.
    ///   - fresh: whether a connection that was used before is out of the question.
    func lease(
        _ receiver: any UpstreamReceiver, serial: UInt64, avoiding: UpstreamEndpoint? = nil, fresh: Bool = false
    ) {
        guard let endpoint = choose(avoiding: avoiding) else {
            return receiver.upstreamRefused(.noneAvailable, by: nil, serial: serial)
        }
        lease(endpoint, receiver, serial: serial, fresh: fresh)
    }

    /// The same with a certain address.
    func lease(_ endpoint: UpstreamEndpoint, _ receiver: any UpstreamReceiver, serial: UInt64, fresh: Bool = false) {
        endpoint.inFlight += 1
        if !fresh {
            while let connection = endpoint.idle.popLast() {
                if connection.isOpen { return receiver.upstreamConnected(connection, serial: serial) }
            }
        }
        let connection = UpstreamConnection(endpoint: endpoint, pool: self)
        ClientBootstrap(group: lane.eventLoop)
            .connectTimeout(lane.limits.connect)
            .channelInitializer { [bound = NIOLoopBound(connection, eventLoop: lane.eventLoop)] channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = bound.value
                    try channel.pipeline.syncOperations.addHandlers(connection, ResponsePartRelay(connection))
                }
            }
            .connect(to: endpoint.address)
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success: receiver.upstreamConnected(connection, serial: serial)
                case .failure(let error):
                    endpoint.inFlight -= 1
                    if case .connectTimeout = error as? ChannelError {
                        endpoint.noteConnectFailure(now: lane.now, timedOut: true)
                    } else {
                        endpoint.noteConnectFailure(now: lane.now, timedOut: false)
                    }
                    receiver.upstreamRefused(.unreachable, by: endpoint, serial: serial)
                }
            }
    }

    func giveBack(_ connection: UpstreamConnection) {
        let endpoint = connection.endpoint
        guard !endpoint.isRemoved, connection.isOpen, endpoint.idle.count < lane.limits.idlePerUpstream else {
            return connection.close()
        }
        connection.idleSince = lane.now
        endpoint.idle.append(connection)
    }

    /// A connection has ended.
    func forget(_ connection: UpstreamConnection) {
        guard let index = connection.endpoint.idle.lastIndex(where: { $0 === connection }) else { return }
        connection.endpoint.idle.remove(at: index)
    }

    /// Closes what has been idle for too long. The oldest are first.
    func closeIdle(now: NIODeadline) {
        for endpoint in endpoints {
            let oldest = now - lane.limits.upstreamKeepAlive
            let stale = endpoint.idle.prefix { $0.idleSince < oldest }
            guard !stale.isEmpty else { continue }
            endpoint.idle.removeFirst(stale.count)
            for connection in stale { connection.close() }
        }
    }

    /// Closes everything idle.
    func close() {
        update([])
    }

    // MARK: Balance

    /// Of two addresses taken by chance the one with fewer requests (the power of two choices).
    private func choose(avoiding: UpstreamEndpoint?) -> UpstreamEndpoint? {
        let now = lane.now
        if endpoints.count == 1, let only = endpoints.first {
            return isUsable(only, .any, now) ? only : nil
        }
        // Ready ones first; then those that a check called unready: a service that lost its database still answers better
        // than nobody. An address that refuses is tried when there is nothing else, for that costs next to nothing; one that
        // is silent is not, for that costs a client its time.
        for standard in [Standard.ready, .reachable, .any] {
            let usable = endpoints.filter { $0 !== avoiding && isUsable($0, standard, now) }
            guard let first = usable.randomElement(using: &lane.random) else { continue }
            guard usable.count > 1, let second = usable.randomElement(using: &lane.random) else { return first }
            return second.inFlight < first.inFlight ? second : first
        }
        guard let avoiding, !avoiding.isRemoved, isUsable(avoiding, .any, now) else { return nil }
        return avoiding
    }

    private enum Standard { case ready, reachable, any }

    private func isUsable(_ endpoint: UpstreamEndpoint, _ standard: Standard, _ now: NIODeadline) -> Bool {
        guard endpoint.inFlight < lane.limits.requestsPerUpstream else { return false }
        switch standard {
        case .ready: return endpoint.isReady && !endpoint.isEjected(now: now)
        case .reachable: return !endpoint.isEjected(now: now)
        case .any: return !endpoint.isEjected(now: now) || !endpoint.isSilent
        }
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
