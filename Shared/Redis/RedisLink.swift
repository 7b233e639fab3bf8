import Logging
import NIOCore
import NIOSSL

/// A connection that comes back. Does what `LinkStateMachine` says.
///
/// `@unchecked Sendable`: all its state belongs to `eventLoop`, on which every method but `init` is called; the callbacks
/// are set before it is started.
final class RedisLink: @unchecked Sendable {
    let configuration: RedisConfiguration
    let eventLoop: any EventLoop
    let metrics: RedisMetrics
    var onUp: ((RedisConnection) -> Void)?
    /// Called before any command of the lost connection is told.
    var onDown: (() -> Void)?
    var onMessage: ((_ channel: ByteBuffer, _ payload: RESPValue) -> Void)?
    private(set) var connection: RedisConnection?

    private let channels: [String]
    private let logger: Logger
    private var machine = LinkStateMachine()
    private var waiting: CommandQueue<Pending>
    private var waitingTimer: Scheduled<Void>?
    private var retry: Scheduled<Void>?
    private var connecting: RedisConnection?
    private var tls: NIOSSLContext?
    private var finished: EventLoopPromise<Void>?
    private var connections = 0
    private var failures = 0

    init(_ configuration: RedisConfiguration, eventLoop: any EventLoop, channels: [String] = [], logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.channels = channels
        metrics = RedisMetrics(name: configuration.name)
        waiting = CommandQueue(capacity: configuration.maxInFlight, timeout: configuration.commandTimeout)
        var logger = logger
        logger[metadataKey: "redis"] = "\(configuration.name)"
        self.logger = logger
    }

    // MARK: Commands

    func submit(_ request: Request, _ waiter: Waiter, id: UInt64 = 0, now: NIODeadline) {
        switch (machine.admission, connection) {
        case (.send, let connection?):
            connection.send(request, waiter, id: id, now: now)
        case (.wait, _):
            guard waiting.append(Pending(request: request, waiter: waiter), id: id, now: now) else {
                return refuse(waiter, .overloaded)
            }
            if waitingTimer == nil { armWaitingTimer(at: now + configuration.commandTimeout) }
        case (.refuse(let code), _):
            refuse(waiter, code)
        case (.send, nil):
            refuse(waiter, .unavailable)
        }
    }

    func cancel(id: UInt64) {
        let waiter = connection?.cancel(id: id) ?? waiting.cancel(id: id)?.waiter
        waiter?.fail(CancellationError())
    }

    private func refuse(_ waiter: Waiter, _ code: RedisError.Code) {
        metrics.failed(code)
        waiter.fail(RedisError(code))
    }

    private func refuseWaiting(_ code: RedisError.Code) {
        waitingTimer?.cancel()
        waitingTimer = nil
        for entry in waiting.removeAll() {
            if let pending = entry.element { refuse(pending.waiter, code) }
        }
    }

    private func armWaitingTimer(at due: NIODeadline) {
        waitingTimer = eventLoop.scheduleTask(deadline: due) {
            self.waitingTimer = nil
            switch self.waiting.timerFired(due: due, now: .now()) {
            case .disarm: break
            case .rearm(let next): self.armWaitingTimer(at: next)
            case .expired:
                // One has waited its whole time: there is no server, and nobody else needs to find out that way.
                self.machine.windowClosed()
                self.refuseWaiting(.unavailable)
            }
        }
    }

    // MARK: Life

    /// - Parameter finished: fulfilled once the link is stopped; failed when it was started before.
    func start(tls: NIOSSLContext?, finished: EventLoopPromise<Void>) {
        let action = machine.start()
        guard action == .connect else {
            return finished.fail(RedisError(.closed, "run() was called before"))
        }
        self.tls = tls
        self.finished = finished
        metrics.up.record(0)
        eventLoop.scheduleTask(in: configuration.connectTimeout) {
            self.machine.windowClosed()
            if self.connection == nil { self.refuseWaiting(.unavailable) }
        }
        perform(action)
    }

    func stop(gracefully: Bool) {
        refuseWaiting(.closed)
        perform(machine.stop(gracefully: gracefully))
    }

    private func perform(_ action: LinkStateMachine.Action) {
        switch action {
        case .none:
            break
        case .connect:
            connect()
        case .retry(let delay):
            retry = eventLoop.scheduleTask(in: delay) { self.perform(self.machine.retryDue()) }
        case .drainConnection:
            connection?.closeWhenIdle()
        case .closeConnection:
            connecting?.close(RedisError(.closed))
            connection?.close(RedisError(.closed))
        case .finish:
            retry?.cancel()
            finished?.succeed()
            finished = nil
        }
    }

    private func connect() {
        RedisConnection.connect(
            configuration, tls: tls, eventLoop: eventLoop, metrics: metrics, channels: channels,
            started: { self.connecting = $0 },
            onMessage: onMessage
        ).whenComplete { result in
            self.connecting = nil
            switch result {
            case .success(let connection): self.connected(connection)
            case .failure(let error): self.failed(error)
            }
        }
    }

    private func connected(_ connection: RedisConnection) {
        if connection.isClosed { return failed(RedisError(.connectionLost)) }
        let action = machine.connected(now: .now())
        guard action == .none else {
            connection.close(RedisError(.closed))
            return perform(machine.disconnected(now: .now(), jitter: 0))
        }
        logger.info("connected to Redis", metadata: ["run_id": "\(connection.runID)"])
        failures = 0
        connections += 1
        if connections > 1 { metrics.reconnects.increment() }
        metrics.up.record(1)
        connection.onClose = { [weak connection] in self.lost(connection, $0) }
        self.connection = connection
        connection.startPings()
        onUp?(connection)
        waitingTimer?.cancel()
        waitingTimer = nil
        let now = NIODeadline.now()
        for entry in waiting.removeAll() {
            if let pending = entry.element { submit(pending.request, pending.waiter, id: entry.id, now: now) }
        }
        connection.flush()
    }

    private func failed(_ error: any Error) {
        failures += 1
        // One line for an outage, not one for each attempt.
        let level: Logger.Level = failures == 1 ? .warning : .debug
        logger.log(level: level, "cannot connect to Redis", metadata: ["error": "\(error)"])
        metrics.up.record(0)
        perform(machine.disconnected(now: .now(), jitter: .random(in: 0..<1)))
    }

    private func lost(_ lost: RedisConnection?, _ error: RedisError) {
        guard let lost, lost === connection else { return }
        connection = nil
        metrics.up.record(0)
        if error.code != .closed { logger.warning("lost the connection to Redis", metadata: ["error": "\(error)"]) }
        let action = machine.disconnected(now: .now(), jitter: .random(in: 0..<1))
        onDown?()
        perform(action)
    }
}

extension RedisLink {
    /// A command from the loop itself.
    func sendOnLoop(_ request: Request) -> EventLoopFuture<RESPValue> {
        eventLoop.assertInEventLoop()
        let promise = eventLoop.makePromise(of: RESPValue.self)
        metrics.commands.increment()
        submit(request, .promise(promise), now: .now())
        connection?.flushSoon()
        return promise.futureResult
    }
}
