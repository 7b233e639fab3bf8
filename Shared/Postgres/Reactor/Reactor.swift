import CLibpq
import Glibc
import Logging
import Metrics
import Synchronization

/// What makes every call on every connection of a client, on one thread: its host's, which gives it a turn when a socket
/// has something, when the mailbox rings and when a deadline comes. Nothing in this class is touched by another thread.
final class Reactor {
    enum Waiter {
        case write(Request)
        /// A read for which no shared connection had room.
        case read(Request)
        case lease(Lease, Request)

        var request: Request {
            switch self {
            case .write(let request), .read(let request), .lease(_, let request): request
            }
        }
    }

    let configuration: PostgresConfiguration
    let mailbox: Mailbox
    private let executor: ReactorExecutor
    let logger: Logger
    let scratch = ParameterScratch()
    let patience: UInt64
    let acquireTimeout: UInt64
    var metrics: PostgresMetrics

    /// Readable when one of the sockets has something.
    let epoll: Int32
    private var messages: [Message] = []
    private var events = [epoll_event](repeating: epoll_event(), count: 64)
    /// Monotonic nanoseconds, read once a turn.
    var now: UInt64 = 0
    private var lastTick: UInt64 = 0

    var connections: [Int: ServerConnection] = [:]
    var lastID = 0
    var shared: [ServerConnection] = []
    /// Exclusive connections with nothing to do; the one used last is taken first, so the others may age away.
    var idle: [ServerConnection] = []
    var exclusiveCount = 0
    var reads = FIFO<Request>()
    var waiters = FIFO<Waiter>()

    var isStarted = false
    var connecting: [ServerConnection.Role: Int] = [:]
    var connectFailures = 0
    var nextConnect: UInt64 = 0
    var lastConnectError: PostgresError?

    private var drained: [UnsafeContinuation<Void, Never>] = []
    var isDraining = false
    private var drainDeadline: UInt64 = 0
    private var leaveDeadline: UInt64 = 0
    /// It wants no more turns.
    private(set) var isEnded = false
    /// Messages were left in the box: no sleep before they are taken. So it is at first: until it was looked into once,
    /// the box does not ring.
    private var isHurried = true

    init?(
        _ configuration: PostgresConfiguration, _ mailbox: Mailbox, _ executor: ReactorExecutor, _ logger: Logger,
        _ factory: any MetricsFactory
    ) {
        self.configuration = configuration
        self.mailbox = mailbox
        self.executor = executor
        self.logger = logger
        self.metrics = PostgresMetrics(configuration.applicationName, factory)
        // The server's own timeout comes first; a second later nobody is there to keep it.
        self.patience = configuration.statementTimeout.nanoseconds + 1_000_000_000
        self.acquireTimeout = configuration.acquireTimeout.nanoseconds
        self.epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { return nil }
    }

    deinit {
        if epoll >= 0 { Glibc.close(epoll) }
    }

    /// One turn: what the sockets have, what is in the box, and what follows from both.
    ///
    /// - Parameter sleep: how many milliseconds to wait for a socket; nil when the host knows that none has anything.
    func turn(sleep: Int32?) {
        now = Self.clock()
        var count: Int32 = 0
        // Nobody's time is up before what has come for them was looked at.
        if let sleep = sleep ?? (isTickDue ? 0 : nil) {
            count = epoll_wait(epoll, &events, Int32(events.count), sleep)
            now = Self.clock()
        }
        // What is put into the box from here on is taken in this turn.
        mailbox.wake()
        for event in events.prefix(Int(max(count, 0))) {
            // None has the number of the host's own descriptor.
            if let connection = connections[Int(event.data.u64)] { ready(connection, event.events) }
        }
        takeMessages()
        proceed()
        if isEnded { close() }
    }

    /// Everything in the box, and what arrives meanwhile, so that one batch holds it all; bounded, for the sockets' sake.
    private func takeMessages() {
        isHurried = false
        for _ in 0..<8 {
            mailbox.take(into: &messages)
            if messages.isEmpty { return }
            for message in messages { handle(message) }
            messages.removeAll(keepingCapacity: true)
        }
        isHurried = true
    }

    private func proceed() {
        sendReads()
        serveWaiters()
        openConnections()
        if isTickDue {
            lastTick = now
            expire()
            let busy = exclusiveCount - idle.count + shared.count { $0.machine.isAwaitingReply }
            metrics.pool(connections: connections.count, busy: busy, waiting: reads.count + waiters.count)
        }
        if isDraining, isQuiet || now >= drainDeadline { isEnded = true }
    }

    /// Deadlines are kept to ten milliseconds.
    private var isTickDue: Bool { now &- lastTick >= 10_000_000 }

    /// Milliseconds until the next turn if nothing happens: short while a deadline runs.
    var timeout: Int32 {
        if isHurried { return 0 }
        if isDraining || !reads.isEmpty || !waiters.isEmpty { return 10 }
        if connections.values.contains(where: { $0.machine.isAwaitingReply || $0.interruptedAt != nil }) { return 20 }
        if isStarted, shared.count < configuration.readConnections { return 10 }
        return 1000
    }

    private var isQuiet: Bool {
        reads.isEmpty && waiters.isEmpty
            && connections.values.allSatisfy { $0.lease == nil && !$0.machine.isAwaitingReply }
    }

    private func handle(_ message: Message) {
        switch message {
        case .start: isStarted = true
        case .read(let request): acceptRead(request)
        case .write(let request): acceptWrite(request)
        case .statement(let lease, let request): accept(request, of: lease)
        case .finish(let lease, let ending, let request): finish(lease, ending, request)
        case .cancel(let request): cancel(request)
        case .copy(let lease, let chunk): copy(chunk, lease)
        case .connected(let outcome): connected(outcome)
        case .cancelRequestFinished(let id): cancelRequestFinished(id)
        case .job(let job):
            job.runSynchronously(on: executor.asUnownedTaskExecutor())
            now = Self.clock()
            // Other threads' statements that are in the box need not wait for more tasks.
            serveWaiters()
        case .drain(let continuation):
            drained.append(continuation)
            isDraining = true
            drainDeadline = now + patience + acquireTimeout
        case .abort(let continuation):
            if let continuation { drained.append(continuation) }
            isEnded = true
        }
    }

    private func close() {
        let closed = PostgresError(.closed, "the client has been shut down")
        for connection in Array(connections.values) { lose(connection, nil) }
        isDraining = true
        for message in mailbox.shut() {
            switch message {
            case .read(let request), .write(let request), .statement(_, let request), .finish(_, _, let request):
                request.fail(closed)
            case .copy(_, let chunk): chunk.fail(closed)
            case .connected(let outcome):
                if case .success(let handle) = outcome.result { PQfinish(handle.pg) }
            case .drain(let continuation): drained.append(continuation)
            case .abort(let continuation): if let continuation { drained.append(continuation) }
            case .job(let job): ReactorExecutor.handOver(job)
            case .start, .cancel, .cancelRequestFinished: break
            }
        }
        while let request = reads.popFirst() { request.fail(closed) }
        while let waiter = waiters.popFirst() { waiter.request.fail(closed) }
        metrics.pool(connections: 0, busy: 0, waiting: 0)
        leaveDeadline = Self.clock() + 10_000_000_000
    }

    /// To be asked every few milliseconds once it has ended, until nothing of it is left and who waited for that was told.
    ///
    /// A process that exits while a thread is inside libpq dies of it: OpenSSL's exit handler takes away the locks it uses.
    /// Waiting for those delays only the end of a client; looked at now and then, since a thread that ends has nobody to
    /// tell. Each ends by its own timeout; one that does not is not waited for for ever.
    func hasLeft() -> Bool {
        if mailbox.blockedThreads.load(ordering: .acquiring) > 0, Self.clock() < leaveDeadline { return false }
        for continuation in drained { continuation.resume() }
        drained = []
        return true
    }

    static func clock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: Sockets

    @discardableResult
    private func watch(_ socket: Int32, _ interest: UInt32, _ id: Int, _ operation: Int32) -> Bool {
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(id)
        return epoll_ctl(epoll, operation, socket, &event) == 0
    }

    func register(_ connection: ServerConnection) -> Bool {
        watch(connection.socket, EPOLLIN.rawValue, connection.id, EPOLL_CTL_ADD)
    }

    /// Before PQfinish: a closed descriptor's number may be another's the next moment.
    func unregister(_ connection: ServerConnection) {
        watch(connection.socket, 0, connection.id, EPOLL_CTL_DEL)
    }

    /// Sends what libpq holds; the socket is watched for writing while something is left.
    func flush(_ connection: ServerConnection) {
        guard !connection.isLost else { return }
        guard let isPending = connection.flush() else { return lose(connection, nil) }
        if isPending != connection.isWatchingWrites {
            connection.isWatchingWrites = isPending
            let interest = isPending ? EPOLLIN.rawValue | EPOLLOUT.rawValue : EPOLLIN.rawValue
            watch(connection.socket, interest, connection.id, EPOLL_CTL_MOD)
        }
        if !isPending, let chunk = connection.chunkBeingFlushed {
            connection.chunkBeingFlushed = nil
            chunk.accepted()
        }
    }

    private func ready(_ connection: ServerConnection, _ events: UInt32) {
        connection.lastProgress = now
        // A server that says something to a connection that has asked for nothing ends it (FATAL comes first, the end of
        // the stream later): nobody must get it meanwhile, and least of all two.
        if connection.isIdle { return lose(connection, nil) }
        if connection.isWatchingWrites { flush(connection) }
        guard !connection.isLost else { return }
        var cause: ServerFailure?
        let isAlive = connection.receive(cause: &cause) { act($0, connection) }
        if connection.isLost { return }
        if case .session = connection.lease?.kind { notify(connection) }
        guard isAlive else { return lose(connection, cause) }
        if connection.isWatchingWrites { flush(connection) }
        if connection.role == .exclusive, connection.isReadyForWork { proceed(connection) }
    }

    private func notify(_ connection: ServerConnection) {
        connection.takeNotifications { notification in connection.lease?.notifications?.yield(notification) }
    }
}
