import Identity
import NIOCore
import ServiceKit

/// Everything that one event loop owns. Nothing of it is shared with another loop, so nothing is locked.
final class Lane {
    let eventLoop: any EventLoop
    let limits: GatewayLimits
    let seal: IdentitySeal
    /// `http` or `https`: how clients reach the gateway.
    let publicScheme: String
    /// How many clients this loop serves at most.
    let maximumClients: Int
    /// A coarse clock, moved by ``tick()`` and with each request.
    private(set) var now = NIODeadline.now()
    /// Unix time in seconds, as coarse.
    private(set) var unixTime: Int64 = 0
    var random = FastRandom()
    private(set) var pools: [UpstreamPool] = []
    /// Who a token stands for. Nil only while the gateway starts.
    var tokens: TokenCheck?
    /// The streams of events. Nil only while the gateway starts.
    var live: LiveDispatcher?
    /// What is told of each request.
    let record: RequestRecord
    /// Whether the process is going away, and since when.
    private(set) var drainingSince: NIODeadline?
    /// Whether it no longer listens, and since when.
    private(set) var closingSince: NIODeadline?

    /// Whether it does nothing any more.
    private(set) var isStopped = false

    private(set) var clients: [ClientConnection] = []
    private var spares: [ByteBuffer] = []
    private var ticking: RepeatedTask?
    private var onEmpty: (() -> Void)?
    /// What else is due regularly.
    var onTick: [(_ now: NIODeadline) -> Void] = []
    /// Is told of an address that behaved as if it were going, or gone.
    var onSuspicion: ((ServiceName, SocketAddress) -> Void)?

    /// How often deadlines are looked at.
    static let tickInterval = TimeAmount.milliseconds(100)

    /// Called on the event loop.
    init(
        eventLoop: any EventLoop, limits: GatewayLimits, seal: IdentitySeal, publicScheme: String, maximumClients: Int,
        record: RequestRecord
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.seal = seal
        self.publicScheme = publicScheme
        self.maximumClients = maximumClients
        self.record = record
        pools = ServiceName.allCases.map { UpstreamPool(service: $0, lane: self) }
        unixTime = WallClock.seconds
    }

    func pool(_ service: ServiceName) -> UpstreamPool {
        switch service {
        case .accounts: pools[0]
        case .heroes: pools[1]
        case .calls: pools[2]
        }
    }

    // MARK: Time

    func startTicking() {
        let lane = NIOLoopBound(self, eventLoop: eventLoop)
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: Self.tickInterval, delay: Self.tickInterval) { _ in
            lane.value.tick()
        }
    }

    func stop() {
        ticking?.cancel()
        ticking = nil
        // What is still on its way has nobody to tell: the loops end one after the other.
        isStopped = true
        onTick = []
        onSuspicion = nil
        for client in clients { client.close() }
        for pool in pools { pool.close() }
    }

    /// Moves the clock.
    func readClock() -> NIODeadline {
        now = .now()
        return now
    }

    private func tick() {
        _ = readClock()
        unixTime = WallClock.seconds
        // From the back: one that closes leaves its place to the last.
        for index in clients.indices.reversed() where index < clients.count {
            clients[index].checkDeadlines(now: now)
        }
        for pool in pools { pool.closeIdle(now: now) }
        tokens?.tick()
        for task in onTick { task(now) }
        record.publish()
    }

    // MARK: Clients

    /// False if there are too many already.
    func add(_ client: ClientConnection) -> Bool {
        client.index = clients.count
        clients.append(client)
        return clients.count <= maximumClients
    }

    func remove(_ client: ClientConnection) {
        let index = client.index
        guard index < clients.count, clients[index] === client else { return }
        clients.swapAt(index, clients.count - 1)
        clients.removeLast()
        if index < clients.count { clients[index].index = index }
        if clients.isEmpty { onEmpty?() }
    }

    /// Each answer from now on ends its connection.
    func startDraining() {
        drainingSince = readClock()
    }

    /// The process no longer listens. Streams end, so that whoever listens comes back to another gateway, and idle
    /// connections are of no more use.
    func startClosing() {
        closingSince = readClock()
        live?.endAll()
    }

    /// Calls back once no client is left.
    func whenEmpty(_ done: @escaping () -> Void) {
        if clients.isEmpty { done() } else { onEmpty = done }
    }

    // MARK: Upstreams

    /// An address behaved as if it were going, or gone: have it asked.
    func suspect(_ service: ServiceName, _ endpoint: UpstreamEndpoint) {
        guard endpoint.isSuspicious(now: now) else { return }
        onSuspicion?(service, endpoint.address)
    }

    // MARK: Buffers

    /// An empty buffer, with the memory of an earlier one if there is one.
    func takeBuffer() -> ByteBuffer {
        spares.popLast() ?? ByteBufferAllocator().buffer(capacity: 1024)
    }

    /// Keeps a buffer's memory for later. If a channel still holds it, the next writer gets new memory by itself.
    func giveBack(_ buffer: consuming ByteBuffer) {
        guard spares.count < 4, buffer.capacity <= 64 * 1024 else { return }
        buffer.clear()
        spares.append(buffer)
    }
}
