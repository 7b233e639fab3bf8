import Identity
import NIOCore
import NIOPosix

/// The listening socket and the lanes behind it.
public final class GatewayServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    let lanes: [NIOLoopBound<Lane>]
    private let channel: any Channel

    private init(group: MultiThreadedEventLoopGroup, lanes: [NIOLoopBound<Lane>], channel: any Channel) {
        self.group = group
        self.lanes = lanes
        self.channel = channel
    }

    /// The port that is listened on.
    public var port: Int { channel.localAddress?.port ?? 0 }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - group: whose loops serve the clients.
    ///   - upstreams: the addresses of each service, for as long as nobody says otherwise.
    public static func start(
        host: String, port: Int, group: MultiThreadedEventLoopGroup, limits: GatewayLimits, secret: SecretKey,
        publicScheme: String, upstreams: [ServiceName: [UpstreamAddress]]
    ) async throws -> GatewayServer {
        let seal = IdentitySeal(secret)
        let loops = Array(group.makeIterator())
        var lanes: [NIOLoopBound<Lane>] = []
        for loop in loops {
            let lane = try await loop.submit {
                let lane = Lane(
                    eventLoop: loop, limits: limits, seal: seal, publicScheme: publicScheme,
                    maximumClients: max(1, limits.connections / loops.count), record: RequestRecord())
                for (service, addresses) in upstreams { lane.pool(service).update(addresses) }
                lane.startTicking()
                return NIOLoopBound(lane, eventLoop: loop)
            }.get()
            lanes.append(lane)
        }
        let byLoop = Dictionary(uniqueKeysWithValues: zip(loops.map { ObjectIdentifier($0) }, lanes))
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let lane = byLoop[ObjectIdentifier(channel.eventLoop)]?.value else { throw ChannelError.eof }
                    let client = ClientConnection(lane: lane, remoteAddress: channel.remoteAddress?.ipAddress ?? "unknown")
                    try client.install(channel)
                }
            }
            .bind(host: host, port: port).get()
        return GatewayServer(group: group, lanes: lanes, channel: channel)
    }

    /// Stops to listen, lets what is in flight finish for so long, and closes the rest.
    public func shutDown(within time: TimeAmount) async {
        try? await channel.close()
        await withTaskGroup(of: Void.self) { tasks in
            for bound in lanes {
                let loop = bound.eventLoop
                tasks.addTask {
                    let done = loop.makePromise(of: Void.self)
                    let timer = loop.scheduleTask(in: time) { done.succeed() }
                    loop.execute { bound.value.drain { done.succeed() } }
                    try? await done.futureResult.get()
                    timer.cancel()
                    try? await loop.submit { bound.value.stop() }.get()
                }
            }
        }
    }
}
