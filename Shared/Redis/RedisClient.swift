import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Commands on one connection, shared by all who call, in order and without waiting for one another.
///
/// The connection comes back by itself; while it is away commands fail at once with `RedisError.unavailable`. Until the
/// first connection they wait, at most a second of `run()`.
public final class RedisClient: Service, Sendable {
    public let eventLoop: any EventLoop
    private let link: RedisLink
    private let nextID = Atomic<UInt64>(1)
    private let submissions: Mutex<Submissions>
    private let runID = Mutex<String?>(nil)
    /// Beyond this many commands not yet seen by the loop, new ones are refused.
    private let maxSubmissions: Int

    private enum Submission: Sendable {
        case send(Request, Waiter, id: UInt64)
        case cancel(id: UInt64)
    }

    private struct Submissions {
        var list: [Submission] = []
        /// Whether the loop was told and has not come yet: one wake-up serves all who come meanwhile.
        var woken = false
    }

    public init(_ configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger) {
        self.eventLoop = eventLoop
        maxSubmissions = configuration.maxInFlight
        submissions = Mutex(Submissions())
        link = RedisLink(configuration, eventLoop: eventLoop, logger: logger)
        link.onUp = { [weak self] connection in self?.runID.withLock { $0 = connection.runID } }
        link.onDown = { [weak self] in self?.runID.withLock { $0 = nil } }
    }

    /// Connects and stays connected until the service group shuts down (what is in flight is still answered) or the
    /// task is cancelled.
    /// - Throws: `RedisError.closed` when called a second time.
    public func run() async throws {
        try await RedisLink.run([link])
    }

    /// The `run_id` of the server that is connected now: another one after every restart or failover. nil while not
    /// connected. A command whose key depends on it belongs into `send(keyed:)`.
    public var serverRunID: String? {
        runID.withLock { $0 }
    }

    // MARK: From any task

    /// Sends a command and waits for its answer.
    /// - Throws: `RedisError`; `CancellationError` when the task is cancelled (the command may run all the same).
    public func send(_ command: RedisCommand) async throws -> RESPValue {
        try await submit(.command(command))
    }

    /// Sends a command that is made for the server it goes to.
    /// - Parameter make: gets the server's `run_id`; called on the event loop as the command is sent, so it must be quick.
    /// - Throws: as `send(_:)`.
    public func send(keyed make: @escaping @Sendable (_ runID: String) -> RedisCommand) async throws -> RESPValue {
        try await submit(.keyed(make))
    }

    private func submit(_ request: Request) async throws -> RESPValue {
        try Task.checkCancellation()
        let id = nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let taken = enqueue(.send(request, .task(continuation), id: id), bounded: true)
                if !taken {
                    link.metrics.failed(.overloaded)
                    continuation.resume(throwing: RedisError(.overloaded))
                } else if Task.isCancelled {
                    // The handler below may have run just before there was anything to cancel.
                    enqueue(.cancel(id: id), bounded: false)
                }
            }
        } onCancel: {
            enqueue(.cancel(id: id), bounded: false)
        }
    }

    @discardableResult
    private func enqueue(_ submission: Submission, bounded: Bool) -> Bool {
        let (taken, wake) = submissions.withLock { submissions in
            if bounded, submissions.list.count >= maxSubmissions { return (false, false) }
            submissions.list.append(submission)
            let wake = !submissions.woken
            submissions.woken = true
            return (true, wake)
        }
        if wake { eventLoop.execute { self.drain() } }
        return taken
    }

    private func drain() {
        let list = submissions.withLock { submissions in
            submissions.woken = false
            let list = submissions.list
            submissions.list = []
            submissions.list.reserveCapacity(list.count)
            return list
        }
        let now = NIODeadline.now()
        var commands = 0
        for submission in list {
            switch submission {
            case .send(let request, let waiter, let id):
                commands += 1
                link.submit(request, waiter, id: id, now: now)
            case .cancel(let id):
                link.cancel(id: id)
            }
        }
        link.connection?.flush()
        if commands > 0 { link.metrics.commands.increment(by: commands) }
    }

    // MARK: On the event loop

    /// The same from the client's own event loop, without a change of thread. Commands of one turn of the loop leave in
    /// one write. The future fails with `RedisError`.
    public func sendOnLoop(_ command: RedisCommand) -> EventLoopFuture<RESPValue> {
        link.sendOnLoop(.command(command))
    }

    /// The same with a command made for the server it goes to.
    public func sendOnLoop(
        keyed make: @escaping @Sendable (_ runID: String) -> RedisCommand
    ) -> EventLoopFuture<RESPValue> {
        link.sendOnLoop(.keyed(make))
    }
}

extension RedisClient {
    /// Runs a Lua script on the server, atomically.
    /// - Throws: as `send(_:)`.
    public func eval(
        _ script: String, keys: [any RedisArgument] = [], arguments: [any RedisArgument] = []
    ) async throws -> RESPValue {
        try await send(.eval(script, keys: keys, arguments: arguments))
    }

    /// Publishes a message.
    /// - Returns: to how many connections the server gave it; none is an error, and none a sign that it was read.
    /// - Throws: as `send(_:)`.
    @discardableResult
    public func publish(_ payload: any RedisArgument, to channel: String) async throws -> Int {
        Int(try await send(.publish(payload, to: channel)).integer ?? 0)
    }
}
