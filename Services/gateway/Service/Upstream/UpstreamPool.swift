import NIOCore
import NIOPosix

/// The connections of one event loop to one service.
final class UpstreamPool {
    let service: ServiceName
    unowned let lane: Lane
    private(set) var endpoints: [UpstreamEndpoint] = []
    var figures = UpstreamFigures()

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
            gone.closeIdle()
        }
    }

    /// Notes what an active check of an address said.
    func note(_ standing: EndpointHealth.Standing, of address: SocketAddress) {
        guard let endpoint = endpoints.first(where: { $0.address == address }) else { return }
        endpoint.health.note(standing)
        // Nothing may be sent any more on a connection that its service is about to close.
        if !endpoint.health.isStaying { endpoint.closeIdle() }
    }

    // MARK: Connections

    /// Calls `upstreamConnected` at once or later, or `upstreamRefused`.
    ///
    /// - Parameters:
    ///   - serial: handed back with the answer.
    ///   - avoiding: an address that has just failed; used only if there is no other.
    ///   - reuse: whether a connection that was used before will do.
    func lease(
        _ receiver: any UpstreamReceiver, serial: UInt64, avoiding: UpstreamEndpoint? = nil, reuse: ConnectionReuse
    ) {
        guard let endpoint = choose(avoiding: avoiding) else {
            return receiver.upstreamRefused(.noneAvailable, by: nil, serial: serial)
        }
        lease(endpoint, receiver, serial: serial, reuse: reuse)
    }

    /// The same with a certain address.
    func lease(_ endpoint: UpstreamEndpoint, _ receiver: any UpstreamReceiver, serial: UInt64, reuse: ConnectionReuse) {
        endpoint.inFlight += 1
        if reuse != .never {
            while let connection = endpoint.idle.popLast() {
                guard connection.isOpen, reuse == .any || connection.isSound else { continue }
                return receiver.upstreamConnected(connection, serial: serial)
            }
        }
        connect(endpoint, receiver, serial: serial)
    }

    private func connect(_ endpoint: UpstreamEndpoint, _ receiver: any UpstreamReceiver, serial: UInt64) {
        let connection = UpstreamConnection(endpoint: endpoint, pool: self)
        let began = NIODeadline.now()
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
                let now = lane.readClock()
                lane.record.connected(service, in: now - began)
                switch result {
                case .success:
                    figures.connections += 1
                    receiver.upstreamConnected(connection, serial: serial)
                case .failure(let error):
                    endpoint.inFlight -= 1
                    figures.refusals += 1
                    var timedOut = false
                    if case .connectTimeout = error as? ChannelError { timedOut = true }
                    if endpoint.health.noteConnectFailure(now: now, timedOut: timedOut) { figures.ejections += 1 }
                    lane.suspect(service, endpoint)
                    receiver.upstreamRefused(.unreachable, by: endpoint, serial: serial)
                }
            }
    }

    func giveBack(_ connection: UpstreamConnection) {
        let endpoint = connection.endpoint
        guard endpoint.isKeeping, connection.isOpen, endpoint.idle.count < lane.limits.idlePerUpstream else {
            return connection.close()
        }
        connection.idleSince = lane.now
        endpoint.idle.append(connection)
    }

    /// A connection is not to be used any more.
    func forget(_ connection: UpstreamConnection) {
        guard let index = connection.endpoint.idle.lastIndex(where: { $0 === connection }) else { return }
        connection.endpoint.idle.remove(at: index)
    }

    /// A connection broke, or what it brought made no sense.
    func noteFailure(of endpoint: UpstreamEndpoint) {
        if endpoint.health.noteFailure(now: lane.now) { figures.ejections += 1 }
        lane.suspect(service, endpoint)
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
    ///
    /// Ready ones first; then those that a check called unwell: a service that lost its database still answers better
    /// than nobody. One that leaves or refuses is tried when there is nothing else, for that costs next to nothing; one
    /// that is silent is not, for that costs a client its time.
    private func choose(avoiding: UpstreamEndpoint?) -> UpstreamEndpoint? {
        let now = lane.now
        if endpoints.count == 1, let only = endpoints.first {
            return isUsable(only, .any, now) ? only : nil
        }
        for standard in [Standard.ready, .reachable, .any] {
            if let found = choose(standard, avoiding, now) { return found }
        }
        guard let avoiding, !avoiding.isRemoved, isUsable(avoiding, .any, now) else { return nil }
        return avoiding
    }

    private func choose(_ standard: Standard, _ avoiding: UpstreamEndpoint?, _ now: NIODeadline) -> UpstreamEndpoint? {
        // Two of those that will do, each pair as likely as any other (reservoir sampling).
        var first: UpstreamEndpoint?
        var second: UpstreamEndpoint?
        var seen: UInt64 = 0
        for endpoint in endpoints where endpoint !== avoiding && isUsable(endpoint, standard, now) {
            seen += 1
            switch seen {
            case 1: first = endpoint
            case 2: second = endpoint
            default:
                let place = lane.random.next() % seen
                if place == 0 { first = endpoint } else if place == 1 { second = endpoint }
            }
        }
        guard let first, let second else { return first }
        // The first would have all there is while there is little.
        if first.inFlight == second.inFlight { return lane.random.next() & 1 == 0 ? first : second }
        return first.inFlight < second.inFlight ? first : second
    }

    private enum Standard { case ready, reachable, any }

    private func isUsable(_ endpoint: UpstreamEndpoint, _ standard: Standard, _ now: NIODeadline) -> Bool {
        guard endpoint.inFlight < lane.limits.requestsPerUpstream else { return false }
        let health = endpoint.health
        switch standard {
        case .ready: return health.standing == .ready && !health.isEjected(now: now)
        case .reachable: return health.isStaying && !health.isEjected(now: now)
        case .any: return !health.isEjected(now: now) || !health.isSilent
        }
    }
}

/// Whether a request may travel on a connection that was used before.
enum ConnectionReuse {
    case any
    /// Only on one that the other side has not ended: what can't be sent again must not be lost that way.
    case sound
    case never
}

/// What a pool has done, for the metrics.
struct UpstreamFigures: Equatable {
    /// Open now, at work or idle.
    var connections = 0
    /// Attempts to connect that failed.
    var refusals: Int64 = 0
    /// Addresses put aside for a while.
    var ejections: Int64 = 0
    /// Requests sent once more.
    var retries: Int64 = 0
}
