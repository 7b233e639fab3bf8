import NIOCore
import NIOPosix

/// The listening socket in front of the lanes.
struct GatewayServer: Sendable {
    private let lanes: [NIOLoopBound<Lane>]
    private let channel: any Channel

    /// The port that is listened on.
    var port: Int { channel.localAddress?.port ?? 0 }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - group: whose loops serve the clients.
    ///   - lanes: one for each of these loops.
    static func listen(
        host: String, port: Int, group: MultiThreadedEventLoopGroup, lanes: [NIOLoopBound<Lane>]
    ) async throws -> GatewayServer {
        let byLoop = Dictionary(uniqueKeysWithValues: lanes.map { (ObjectIdentifier($0.eventLoop), $0) })
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // A client may end its side and wait for the answer.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let lane = byLoop[ObjectIdentifier(channel.eventLoop)]?.value else { throw ChannelError.eof }
                    let address = channel.remoteAddress?.ipAddress ?? "unknown"
                    try ClientConnection(lane: lane, remoteAddress: address).install(channel)
                }
            }
            .bind(host: host, port: port).get()
        return GatewayServer(lanes: lanes, channel: channel)
    }

    /// From now on each answer ends its connection; new connections are still taken.
    func startDraining() async {
        for bound in lanes { try? await bound.eventLoop.submit { bound.value.startDraining() }.get() }
    }

    /// Stops to listen, lets what is in flight finish for so long, and closes the rest.
    func shutDown(within time: TimeAmount) async {
        try? await channel.close()
        for bound in lanes { try? await bound.eventLoop.submit { bound.value.startClosing() }.get() }
        await withTaskGroup(of: Void.self) { tasks in
            for bound in lanes {
                tasks.addTask { await empty(bound, within: time) }
            }
        }
    }

    private func empty(_ bound: NIOLoopBound<Lane>, within time: TimeAmount) async {
        let loop = bound.eventLoop
        let done = loop.makePromise(of: Void.self)
        // Only the first of the two counts.
        loop.execute {
            var isDone = false
            let finish = {
                guard !isDone else { return }
                isDone = true
                done.succeed()
            }
            let timer = loop.assumeIsolated().scheduleTask(in: time) { finish() }
            bound.value.whenEmpty {
                timer.cancel()
                finish()
            }
        }
        try? await done.futureResult.get()
        try? await loop.submit { bound.value.stop() }.get()
    }
}
