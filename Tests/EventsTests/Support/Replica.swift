import NIOCore
import Postgres
import Redis
import ServiceLifecycle
import Synchronization
import TestKit

@testable import Events

/// A replica that only relays.
struct Replica: Sendable {
    let outbox: Outbox
    let postgres: PostgresClient
    let processes: Running

    /// - Parameter hasOneThread: whether its clients and the relay share the thread of one event loop.
    init(
        _ stage: Stage, name: String = "relay", settings: RelaySettings = RelaySettings(), hasOneThread: Bool = false
    ) {
        let loop = loops.next()
        outbox = Outbox(service: Stage.source)
        postgres = PostgresClient(stage.configuration(name), on: hasOneThread ? loop : nil, logger: quiet)
        let redis = RedisClient(stage.redisConfiguration, eventLoop: loop, logger: quiet)
        var relay = Relay(outbox, postgres: postgres, redis: redis, settings: settings, logger: quiet)
        if hasOneThread { relay.executor = postgres.executor }
        processes = Running([postgres, redis, relay])
    }

    func publish(_ numbers: some Sequence<Int> & Sendable) async throws {
        for number in numbers {
            try await outbox.withTransaction(postgres) { try await outbox.append(.numbered(number), in: $0) }
        }
    }

    func leads() async throws {
        try await eventually("it leads") { outbox.doorbell.isLeading }
    }
}

/// Listens on the channel.
final class Listener: Sendable {
    private let heard = Mutex<[Event]>([])
    private let isUp = Atomic(false)
    let onHeard: @Sendable (Event) -> Void
    private let running = Mutex<Running?>(nil)

    init(_ stage: Stage, onHeard: @escaping @Sendable (Event) -> Void = { _ in }) async throws {
        self.onHeard = onHeard
        let subscriber = RedisSubscriber(
            stage.redisConfiguration, eventLoop: loops.next(), channels: [Outbox.channel(Stage.source)],
            logger: quiet,
            onMessage: { [weak self] _, payload in
                guard let self, let event = try? Event(decoding: payload) else { return }
                heard.withLock { $0.append(event) }
                self.onHeard(event)
            }, onUp: { [weak self] in self?.isUp.store(true, ordering: .relaxed) })
        running.withLock { $0 = Running([subscriber]) }
        try await eventually("subscribed") { isUp.load(ordering: .relaxed) }
    }

    var events: [Event] { heard.withLock { $0 } }

    func stop() async throws { try await running.withLock { $0 }?.stop() }
}

extension Stage {
    /// The positions of all events in the order of their ids; -1 is none.
    func positions() async throws -> [Int64] {
        try await client.read("SELECT coalesce(position, -1) FROM source.outbox ORDER BY id").decode(Int64.self)
    }
}
