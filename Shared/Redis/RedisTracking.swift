import Logging
import NIOCore
import ServiceLifecycle

/// Redis' client-side caching: tells which keys have changed, so that values can be kept in memory.
///
/// A command connection has `CLIENT TRACKING ON REDIRECT <id> BCAST PREFIX …`, a second one is subscribed to
/// `__redis__:invalidate` and gets the keys (redis.io, "Client-side caching", two connections mode). Both are on one event
/// loop and come back by themselves. What is kept may be used only while `isTrusted`.
///
/// A `GET` and the invalidation of its key travel on different connections: an answer may arrive after the invalidation
/// that outdates it. Keep a value only if its key was not invalidated between sending the `GET` and its answer.
///
/// `@unchecked Sendable`: all its state belongs to `eventLoop`, on which every method but `init` and `run` is called.
public final class RedisTracking: Service, @unchecked Sendable {
    public let eventLoop: any EventLoop
    /// Whether every change since a value was read would have been told. Read on the event loop.
    public private(set) var isTrusted = false

    private let data: RedisLink
    private let invalidations: RedisLink
    private let prefixes: [String]
    private let logger: Logger
    private let onTrusted: @Sendable (Bool) -> Void
    private var fences: [EventLoopPromise<Void>] = []

    /// - Parameters:
    ///   - prefixes: of the keys to watch; none may be the start of another.
    ///   - onInvalidate: keys that changed, expired or were deleted by anyone; nil: all of them (FLUSHALL, FLUSHDB).
    ///   - onTrusted: false at once when either connection ends or is silent for too long (everything kept must go);
    ///     true when both are there and changes are told again.
    ///
    /// Both are called on `eventLoop` and must be quick.
    public init(
        _ configuration: RedisConfiguration, eventLoop: any EventLoop, prefixes: [String], logger: Logger,
        onInvalidate: @escaping @Sendable (_ keys: [ByteBuffer]?) -> Void,
        onTrusted: @escaping @Sendable (Bool) -> Void
    ) {
        self.eventLoop = eventLoop
        self.prefixes = prefixes
        self.logger = logger
        self.onTrusted = onTrusted
        data = RedisLink(configuration, eventLoop: eventLoop, logger: logger)
        invalidations = RedisLink(
            configuration.named(configuration.name + "-invalidations"), eventLoop: eventLoop,
            channels: ["__redis__:invalidate"], logger: logger)
        invalidations.onMessage = { _, payload in
            onInvalidate(
                payload.array?.compactMap { key in if case .bulk(let bytes) = key { bytes } else { nil } })
        }
        for link in [data, invalidations] {
            link.onUp = { [weak self] _ in self?.arm() }
            link.onDown = { [weak self] in self?.distrust() }
        }
    }

    /// Stays connected until the service group shuts down or the task is cancelled.
    /// - Throws: `RedisError.closed` when called a second time.
    public func run() async throws {
        try await RedisLink.run([invalidations, data])
    }

    /// The `run_id` of the command connection's server; nil while not connected. Read on the event loop.
    public var serverRunID: String? { data.connection?.runID }

    /// A command through the tracked connection. Only on the event loop; the future fails with `RedisError`.
    public func sendOnLoop(_ command: RedisCommand) -> EventLoopFuture<RESPValue> {
        data.sendOnLoop(.command(command))
    }

    /// The same with a command made for the server it goes to.
    public func sendOnLoop(
        keyed make: @escaping @Sendable (_ runID: String) -> RedisCommand
    ) -> EventLoopFuture<RESPValue> {
        data.sendOnLoop(.keyed(make))
    }

    /// Succeeds once every change that was answered before the call has been told to `onInvalidate`. Only on the loop.
    ///
    /// It is a PING on the subscribed connection. The server appends invalidations to that connection before it writes the
    /// answer of the command that caused them (Redis' `beforeSleep`), so they precede the PING's answer. If it fails,
    /// `onTrusted(false)` has been called before.
    public func fence() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        guard isTrusted else { return eventLoop.makeFailedFuture(RedisError(.unavailable)) }
        let promise = eventLoop.makePromise(of: Void.self)
        fences.append(promise)
        // Fences of one turn share a PING, which is sent after all of them were asked for.
        if fences.count == 1 { eventLoop.execute { self.sendFence() } }
        return promise.futureResult
    }

    private func sendFence() {
        let waiting = fences
        fences = []
        guard let connection = invalidations.connection else {
            for promise in waiting { promise.fail(RedisError(.unavailable)) }
            return
        }
        connection.send(["PING"]).whenComplete { result in
            for promise in waiting { promise.completeWith(result.map { _ in }) }
        }
    }

    private func distrust() {
        guard isTrusted else { return }
        isTrusted = false
        onTrusted(false)
    }

    /// Once both connections are there: start tracking, and trust it when both have answered.
    private func arm() {
        guard let data = data.connection, let subscriber = invalidations.connection else { return }
        guard data.runID == subscriber.runID else {
            // A failover between the two: they must be of one server.
            data.close(RedisError(.unavailable, "connected to two servers"))
            return subscriber.close(RedisError(.unavailable, "connected to two servers"))
        }
        var tracking: [any RedisArgument] = ["CLIENT", "TRACKING", "ON", "REDIRECT", subscriber.clientID, "BCAST"]
        for prefix in prefixes { tracking += ["PREFIX", prefix] }
        // Off first: after the subscriber alone was lost, the old redirection is still set.
        data.send(["CLIENT", "TRACKING", "OFF"])
            .and(data.send(RedisCommand(tracking)))
            .flatMap { _ in subscriber.send(["PING"]) }
            .whenComplete { result in
                guard self.data.connection === data, self.invalidations.connection === subscriber else { return }
                switch result {
                case .success:
                    self.isTrusted = true
                    self.onTrusted(true)
                case .failure(let error):
                    self.logger.error("Redis refuses client tracking", metadata: ["error": "\(error)"])
                    // The link's delays apply, so this is not tried in a loop.
                    data.close(RedisError(.unavailable, "client tracking refused"))
                }
            }
    }
}
