import Foundation
import NIOCore
import Postgres
import Redis
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import Events

@Suite struct RelayTests {
    /// A replica that only relays.
    struct Replica: Sendable {
        let outbox: Outbox
        let postgres: PostgresClient
        let processes: Running

        init(_ stage: Stage, name: String = "relay", settings: RelaySettings = RelaySettings()) {
            outbox = Outbox(service: Stage.source)
            postgres = PostgresClient(stage.configuration(name), logger: quiet)
            let redis = RedisClient(stage.redisConfiguration, eventLoop: loops.next(), logger: quiet)
            processes = Running([
                postgres, redis, Relay(outbox, postgres: postgres, redis: redis, settings: settings, logger: quiet),
            ])
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

    private func positions(_ stage: Stage) async throws -> [Int64] {
        try await stage.client.read("SELECT coalesce(position, -1) FROM source.outbox ORDER BY id").decode(Int64.self)
    }

    /// The server processes of the sessions that hold a relay's lock in this database.
    private func leaders(_ stage: Stage) async throws -> [Int32] {
        try await stage.client.read(
            """
            SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted \
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        ).decode(Int32.self)
    }

    @Test func `committed events are given positions without a gap and told in that order`() async throws {
        try await Stage.with { stage in
            let listener = try await Listener(stage)
            let relay = Replica(stage)
            try await relay.leads()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask { try await relay.publish(writer * 100..<writer * 100 + 50) }
                }
                try await group.waitForAll()
            }
            try await eventually("400 events heard") { listener.events.count >= 400 }
            #expect(listener.events.map(\.position) == Array(1...400))
            #expect(Set(listener.events.map(\.id)).count == 400)
            // Of one writer in its order.
            for writer in 0..<8 {
                let numbers = listener.events.map(\.number).filter { $0 / 100 == writer }
                #expect(numbers == numbers.sorted())
            }
            #expect(try await positions(stage).sorted() == Array(1...400))
            try await relay.processes.stop()
            try await listener.stop()
        }
    }

    @Test func `what is rolled back is never told`() async throws {
        struct Regret: Error {}
        try await Stage.with { stage in
            let relay = Replica(stage)
            try await relay.leads()
            for number in 1...10 {
                try? await relay.outbox.withTransaction(relay.postgres) { transaction in
                    try await relay.outbox.append(.numbered(number), in: transaction)
                    if number % 2 == 0 { throw Regret() }
                }
            }
            try await eventually("positions") { try await positions(stage) == [1, 2, 3, 4, 5] }
            try await relay.processes.stop()
        }
    }

    @Test func `a commit is followed within milliseconds, from this process or another`() async throws {
        try await Stage.with { stage in
            let (arrivals, told) = AsyncStream<Int64>.makeStream()
            let listener = try await Listener(stage) { told.yield($0.number) }
            let leader = Replica(stage)
            try await leader.leads()
            let other = Replica(stage)
            var iterator = arrivals.makeAsyncIterator()
            for (replica, name) in [(leader, "the leader's process"), (other, "another process")] {
                var delays: [Duration] = []
                for number in 1...40 {
                    try await replica.publish([number])
                    let start = ContinuousClock.now
                    #expect(await iterator.next() == Int64(number))
                    delays.append(ContinuousClock.now - start)
                }
                // The poll alone would make it 125 ms.
                let median = delays.sorted()[delays.count / 2]
                #expect(median < .milliseconds(10), "\(name): \(median)")
            }
            try await other.processes.stop()
            try await leader.processes.stop()
            try await listener.stop()
        }
    }

    @Test func `without any ring a poll finds what was committed`() async throws {
        try await Stage.with { stage in
            let relay = Replica(stage)
            try await relay.leads()
            let outbox = Outbox(service: Stage.source)
            try await stage.client.withTransaction { try await outbox.append(.numbered(1), in: $0) }
            let start = ContinuousClock.now
            try await eventually("its position") { try await positions(stage) == [1] }
            #expect(ContinuousClock.now - start < .seconds(2))
            try await relay.processes.stop()
        }
    }

    @Test func `an event whose id was taken first and committed last is not skipped, a thousand times`() async throws {
        try await Stage.with { stage in
            let relay = Replica(stage)
            try await relay.leads()
            let outbox = relay.outbox
            let rounds = 1000
            // A reader whose cursor follows the positions, as every consumer's does.
            let reading = Task { () -> [Int64] in
                var cursor: Int64 = 0
                var read: [Int64] = []
                while read.count < 2 * rounds, !Task.isCancelled {
                    let rows = try await stage.client.read(
                        """
                        SELECT position, (data->>'number')::bigint FROM source.outbox WHERE position > \(cursor) \
                        ORDER BY position LIMIT 100
                        """)
                    for (position, number) in try rows.decode((Int64, Int64).self) {
                        cursor = position
                        read.append(number)
                    }
                    if rows.isEmpty { await Task.yield() }
                }
                return read
            }
            for round in 0..<rounds {
                try await outbox.withTransaction(relay.postgres) { slow in
                    try await outbox.append(.numbered(2 * round, subject: "slow"), in: slow)
                    // Takes its id later and commits before; every other time it also has its position before.
                    try await outbox.withTransaction(relay.postgres) {
                        try await outbox.append(.numbered(2 * round + 1, subject: "quick"), in: $0)
                    }
                    if round % 2 == 0 {
                        try await eventually("a position for the quick one") {
                            try await relay.postgres.read(
                                "SELECT position FROM source.outbox WHERE (data->>'number')::int = \(2 * round + 1)"
                            ).decode(Int64?.self) != [nil]
                        }
                    }
                }
            }
            let read = try await reading.value
            #expect(read.count == 2 * rounds)
            #expect(Set(read) == Set((0..<Int64(2 * rounds))))
            #expect(try await stage.value("SELECT max(position) FROM source.outbox") == Int64(2 * rounds))
            // The order was the one that was forced, so that the test has tested something.
            let inverted: Int64 = try await stage.value(
                """
                SELECT count(*) FROM source.outbox a JOIN source.outbox b ON b.id = a.id + 1 \
                WHERE a.subject = 'slow' AND b.position < a.position
                """)
            #expect(inverted >= Int64(rounds / 2))
            try await relay.processes.stop()
        }
    }

    @Test func `one relay leads, and when it dies another does within a second or so`() async throws {
        try await Stage.with { stage in
            let listener = try await Listener(stage)
            var replicas = [Replica(stage, name: "a"), Replica(stage, name: "b"), Replica(stage, name: "c")]
            var number = 0
            for _ in 0..<2 {
                let leader = try await eventually("one leads") {
                    replicas.firstIndex { $0.outbox.doorbell.isLeading }
                }
                #expect(replicas.count { $0.outbox.doorbell.isLeading } == 1)
                let victim = replicas.remove(at: leader)
                try await victim.publish(number..<number + 10)
                await victim.processes.kill()
                let start = ContinuousClock.now
                number += 10
                guard let next = replicas.first else { break }
                try await next.publish(number..<number + 10)
                number += 10
                try await eventually("the next has taken over") { replicas.contains { $0.outbox.doorbell.isLeading } }
                #expect(ContinuousClock.now - start < .seconds(3))
                try await eventually("all have positions") {
                    try await positions(stage).sorted() == Array(1...Int64(number))
                }
            }
            #expect(try await positions(stage).sorted() == Array(1...Int64(number)))
            for replica in replicas { try await replica.processes.stop() }
            try await listener.stop()
        }
    }

    @Test func `a leader whose session is cut leads no more, and positions stay gapless`() async throws {
        try await Stage.with { stage in
            let listener = try await Listener(stage)
            let replicas = [Replica(stage, name: "a"), Replica(stage, name: "b")]
            try await eventually("one leads") { replicas.contains { $0.outbox.doorbell.isLeading } }
            let writing = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 0..<4 {
                        group.addTask {
                            for number in 0..<150 {
                                // A writer's own connection may be cut too: it tries again, as a client would.
                                while true {
                                    do {
                                        try await replicas[writer % 2].publish([writer * 1000 + number])
                                        break
                                    } catch let error as PostgresError where error.isUnavailable {}
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            for _ in 0..<10 {
                let leader = try await eventually("one leads") { try await leaders(stage).first }
                try await stage.client.execute("SELECT pg_terminate_backend(\(leader))")
                try await eventually("another session leads") {
                    try await leaders(stage).first.map { $0 != leader } ?? false
                }
            }
            try await writing.value
            let total = try await stage.value("SELECT count(*) FROM source.outbox", as: Int64.self)
            #expect(total >= 600)
            try await eventually("all have positions") {
                try await positions(stage).sorted() == Array(1...total)
            }
            #expect(try await stage.value("SELECT position FROM source.relay_head") == total)
            // Whoever told of them: a position means one event only.
            let told = Dictionary(grouping: listener.events, by: \.position).mapValues { Set($0.map(\.id)).count }
            #expect(told.values.allSatisfy { $0 == 1 })
            for replica in replicas { try await replica.processes.stop() }
            try await listener.stop()
        }
    }

    @Test func `two relays that both think they lead give no position twice and leave no gap`() async throws {
        try await Stage.with { stage in
            // As if the advisory lock had been lost: the schema's name makes the lock, and these two have one each.
            let outbox = Outbox(service: Stage.source)
            let numbers = 2000
            for number in 0..<numbers / 100 {
                try await stage.client.withTransaction { transaction in
                    try await outbox.append((0..<100).map { .numbered(number * 100 + $0) }, in: transaction)
                }
            }
            var settings = RelaySettings()
            settings.batch = 7
            let redis = RedisClient(stage.redisConfiguration, eventLoop: loops.next(), logger: quiet)
            try await running([redis]) { [settings] in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            let relay = Relay(
                                Outbox(service: Stage.source), postgres: stage.client, redis: redis,
                                settings: settings, logger: quiet)
                            let halt = Halt()
                            halt.set()
                            try await stage.client.withConnection { connection in
                                try await RelayTerm(relay, connection, RelayMetrics(service: "source")).run(until: halt)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await positions(stage).sorted() == Array(1...Int64(numbers)))
            #expect(try await stage.value("SELECT position FROM source.relay_head") == Int64(numbers))
        }
    }

    @Test func `without Redis positions are given, and when it is back events are told again`() async throws {
        let redis = try await TestRedis.start()
        try await Stage.with(redis: redis) { stage in
            let relay = Replica(stage)
            try await relay.leads()
            try await redis.stop()
            try await relay.publish(1...50)
            try await eventually("positions") { try await positions(stage).sorted() == Array(1...50) }
            redis.freeze()
            try await redis.start()
            redis.freeze()
            try await relay.publish(51...60)
            try await eventually("positions while it is frozen") {
                try await positions(stage).sorted() == Array(1...60)
            }
            redis.thaw()
            let listener = try await Listener(stage)
            try await eventually("told again") {
                try await relay.publish([61])
                return listener.events.contains { $0.number == 61 }
            }
            try await relay.processes.stop()
            try await listener.stop()
        }
    }

    @Test func `a relay that is told to end gives and tells what was committed before`() async throws {
        try await Stage.with { stage in
            let listener = try await Listener(stage)
            let relay = Replica(stage)
            try await relay.leads()
            let outbox = Outbox(service: Stage.source)
            try await stage.client.withTransaction { transaction in
                try await outbox.append((1...1234).map { .numbered($0) }, in: transaction)
            }
            try await relay.processes.stop()
            #expect(try await positions(stage).sorted() == Array(1...1234))
            try await eventually("all heard") { listener.events.count == 1234 }
            // And a relay that takes over rings once for the last event, should nobody have told of it.
            let next = Replica(stage)
            try await eventually("the last is told again") { listener.events.count == 1235 }
            #expect(listener.events.last?.position == 1234)
            try await next.processes.stop()
            try await listener.stop()
        }
    }

    @Test func `old events are pruned from the front, never one without a position`() async throws {
        try await Stage.with { stage in
            var settings = RelaySettings()
            settings.keep = .seconds(3600)
            settings.pruneInterval = .milliseconds(50)
            settings.prunePiece = 10
            let relay = Replica(stage, settings: settings)
            try await relay.leads()
            try await relay.publish(1...100)
            try await eventually("positions") { try await positions(stage).sorted() == Array(1...100) }
            // 1-60 and 70-80 are old; what comes after 60 must stay all the same.
            try await stage.client.execute(
                """
                UPDATE source.outbox SET time = now() - interval '2 hours' \
                WHERE position <= 60 OR position BETWEEN 70 AND 80
                """)
            try await eventually("pruned") { try await positions(stage).sorted() == Array(61...100) }
            // Old and without a position: not pruned while another holds the head.
            try await stage.client.withTransaction { transaction in
                try await transaction.execute("SELECT 1 FROM source.relay_head FOR UPDATE")
                try await stage.client.execute("UPDATE source.outbox SET time = now() - interval '2 hours'")
                try await stage.client.execute(
                    """
                    INSERT INTO source.outbox (type, subject, data, time) \
                    VALUES ('thing.changed', '1', '{"number": 101}', now() - interval '2 hours')
                    """)
                try await eventually("all the others pruned") { try await positions(stage) == [-1] }
            }
            try await eventually("given a position, then pruned") { try await positions(stage) == [] }
            #expect(try await stage.value("SELECT position FROM source.relay_head") == 101 as Int64)
            try await relay.processes.stop()
        }
    }

    @Test func `Postgres restarts, and the relay leads again by itself`() async throws {
        let postgres = try await TestPostgres.start()
        try await Stage.with(postgres: postgres) { stage in
            let replicas = [Replica(stage, name: "a"), Replica(stage, name: "b")]
            try await eventually("one leads") { replicas.contains { $0.outbox.doorbell.isLeading } }
            var number = 0
            for mode in [TestPostgres.StopMode.fast, .immediate] {
                try await replicas[0].publish(number..<number + 5)
                number += 5
                try await postgres.stop(mode)
                try await eventually("none leads") { !replicas.contains { $0.outbox.doorbell.isLeading } }
                try await postgres.start()
                try await eventually("one leads again") { replicas.contains { $0.outbox.doorbell.isLeading } }
                try await eventually("written again") {
                    try await replicas[1].publish([number])
                    return true
                }
                number += 1
            }
            let total = try await stage.value("SELECT count(*) FROM source.outbox", as: Int64.self)
            #expect(total >= 12)
            try await eventually("positions") { try await positions(stage).sorted() == Array(1...total) }
            for replica in replicas { try await replica.processes.stop() }
        }
    }
}
