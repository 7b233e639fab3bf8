import AccountsDomain
import Logging
import Metrics
import Postgres
import ServiceLifecycle
import Synchronization

/// Sends what waits in `accounts.deliveries` by one channel, beside any number of other workers.
///
/// A row is claimed by moving its next attempt past the time that a try may take: a worker that dies lets go of it by
/// doing nothing. It claims no more than it can begin at once, so no claim runs out while its message waits for a turn.
/// What has left is written down before anything else is done with it, however long that takes: a message leaves a
/// second time if the process dies, or Postgres stays away for longer than the claim, between the one and the other. So
/// it does if the other side took it and its answer was lost: the try counts as failed. Its number then tells it from
/// another message.
final class DeliveryWorker: Service {
    private let queue: DeliveryQueue
    private let rows: DeliveryRows
    private let outgoing: Outgoing
    private let logger: Logger
    private let now: @Sendable () -> Instant
    private let schedule: RetrySchedule
    private let pollInterval: Duration
    private let claim: Duration

    private let sent: Counter
    private let failed: Counter
    private let parked: Counter
    private let tries = Mutex(Tries())

    /// What is under way in this process.
    private struct Tries {
        var running = 0
        /// Whether the last look found as many as were wanted, so that there may be more.
        var mayBeMore = false
        /// Messages that have left, which Postgres has not been told yet.
        var left: Set<Int64> = []
    }

    /// - Parameters:
    ///   - schedule: when to try again.
    ///   - pollInterval: how often it looks by itself for what is due.
    ///   - claim: how long a row is kept from other workers; longer than a try may take.
    init(
        _ outgoing: Outgoing, queue: DeliveryQueue, postgres: PostgresClient, schedule: RetrySchedule = RetrySchedule(),
        pollInterval: Duration = .seconds(1), claim: Duration? = nil, logger: Logger,
        now: @escaping @Sendable () -> Instant
    ) {
        self.outgoing = outgoing
        self.queue = queue
        self.rows = DeliveryRows(postgres: postgres)
        self.schedule = schedule
        self.pollInterval = pollInterval
        self.claim = claim ?? outgoing.longestTry + .seconds(30)
        self.logger = logger
        self.now = now
        func counter(_ outcome: String) -> Counter {
            Counter(
                label: "deliveries_total", dimensions: [("channel", outgoing.channel.rawValue), ("outcome", outcome)])
        }
        sent = counter("sent")
        failed = counter("failed")
        parked = counter("parked")
    }

    /// Sends until the process shuts down, and then what is under way to its end.
    func run() async throws {
        let channel = outgoing.channel
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    await cancelWhenGracefulShutdown {
                        while !Task.isCancelled {
                            self.queue.wake(channel)
                            // What another process wrote rings no bell here, nor does a time that has come.
                            try? await Task.sleep(for: self.pollInterval)
                        }
                    }
                }
                var failing = false
                for await _ in queue.rings(channel) {
                    if Task.isShuttingDownGracefully || Task.isCancelled { break }
                    do {
                        while let claimed = try await next() {
                            for row in claimed { group.addTask { await self.attempt(row) } }
                        }
                        failing = false
                    } catch {
                        if !failing { logger.warning("deliveries wait", metadata: ["error": "\(error)"]) }
                        failing = true
                    }
                }
            }
        } onGracefulShutdown: {
            self.queue.wake(channel)
        }
    }

    /// Claims as much as there is room for.
    ///
    /// - Returns: nil when there is no room, or nothing is due.
    func next() async throws -> [DeliveryRows.Claimed]? {
        if Task.isShuttingDownGracefully || Task.isCancelled { return nil }
        let (free, left) = tries.withLock { (outgoing.width - $0.running, $0.left) }
        guard free > 0 else { return nil }
        let now = now()
        let claimed = try await rows.claim(
            outgoing.channel, free, except: left, at: now, until: now.advanced(by: claim))
        tries.withLock { tries in
            tries.running += claimed.count
            tries.mayBeMore = claimed.count == free
        }
        return claimed.isEmpty ? nil : claimed
    }

    /// Sends one, and notes what came of it.
    func attempt(_ row: DeliveryRows.Claimed) async {
        do {
            if let notAfter = row.notAfter, notAfter <= now() {
                throw DeliveryFailure(reason: "too late to be of use", isPermanent: true)
            }
            try await outgoing.send(try open(row), row.id, row.written)
            await note(left: row)
        } catch {
            let failure = error as? DeliveryFailure ?? DeliveryFailure(reason: "\(type(of: error))", isPermanent: false)
            await note(row, failure)
        }
        let goesOn = tries.withLock { tries in
            tries.running -= 1
            return tries.mayBeMore
        }
        if goesOn { queue.wake(outgoing.channel) }
    }

    private func open(_ row: DeliveryRows.Claimed) throws -> Message {
        do {
            return try queue.message(in: row.payload)
        } catch {
            // Sealed with another key: SECRET_KEY was changed meanwhile.
            throw DeliveryFailure(reason: "can't be opened", isPermanent: true)
        }
    }

    // MARK: What came of it

    /// Tells Postgres that a message has left, until Postgres has heard it. Not for a cancelled task to give up.
    private func note(left row: DeliveryRows.Claimed) async {
        sent.increment()
        let id = row.id.number
        tries.withLock { _ = $0.left.insert(id) }
        await Task { [rows, now, logger] in
            var wait = Duration.milliseconds(20)
            while true {
                do {
                    return try await rows.left(id, at: now())
                } catch let error as PostgresError where error.code == .closed {
                    // The process is ending.
                    return logger.error("a delivery that has left is not noted", metadata: ["delivery": "\(id)"])
                } catch {
                    if wait == .milliseconds(20) {
                        logger.warning("a delivery that has left waits to be noted", metadata: ["error": "\(error)"])
                    }
                    // Far shorter than other workers' polls: when Postgres is back, this comes first.
                    try? await Task.sleep(for: wait)
                    wait = min(wait * 2, .milliseconds(200))
                }
            }
        }.value
        tries.withLock { _ = $0.left.remove(id) }
    }

    private func note(_ row: DeliveryRows.Claimed, _ failure: DeliveryFailure) async {
        let now = now()
        let metadata: Logger.Metadata = ["delivery": "\(row.id.number)", "reason": "\(failure.reason)"]
        do {
            if !failure.isPermanent, let wait = schedule.wait(afterTries: row.attempts, random: .random(in: 0..<1)) {
                failed.increment()
                logger.info("delivery failed", metadata: metadata)
                let next = now.advanced(by: max(wait, min(failure.retryAfter ?? .zero, Self.longestRetryAfter)))
                try await rows.postpone(row, to: next, reason: failure.reason)
            } else {
                parked.increment()
                logger.error("delivery given up", metadata: metadata)
                try await rows.park(row, reason: failure.reason, at: now)
            }
        } catch {
            // Its claim runs out, and it is tried again.
            logger.warning("a delivery's failure is not noted", metadata: metadata)
        }
    }

    /// However long the other side asked us to wait.
    private static let longestRetryAfter = Duration.seconds(3600)
}
