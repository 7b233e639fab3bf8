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
            #expect(try await stage.positions().sorted() == Array(1...400))
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
            try await eventually("positions") { try await stage.positions() == [1, 2, 3, 4, 5] }
            try await relay.processes.stop()
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func `a commit is followed within milliseconds, from this process or another`(hasOneThread: Bool) async throws {
        try await Stage.with { stage in
            let (arrivals, told) = AsyncStream<Int64>.makeStream()
            let listener = try await Listener(stage) { told.yield($0.number) }
            let leader = Replica(stage, hasOneThread: hasOneThread)
            try await leader.leads()
            let other = Replica(stage, hasOneThread: hasOneThread)
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

    @Test func `where many events come, looks for them keep their distance`() async throws {
        try await Stage.with { stage in
            var settings = RelaySettings()
            (settings.many, settings.lookInterval) = (1, .seconds(1))
            let leader = Replica(stage, settings: settings)
            try await leader.leads()
            let start = ContinuousClock.now
            for number in 1...100 { try await leader.publish([number]) }
            try await eventually("positions") { try await stage.positions() == Array(1...100) }
            // A look gives its positions in one transaction. The first comes at once.
            let looks = try await stage.value("SELECT count(DISTINCT xmin::text) FROM source.outbox", as: Int.self)
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            #expect((1...seconds + 2).contains(looks), "in \(seconds) s")
            try await leader.processes.stop()
        }
    }

    @Test func `a look reads what waits and not all that has waited`() async throws {
        try await Stage.with { stage in
            // The relay's plans are made for an empty table, which would better be read whole.
            try await stage.client.execute("ALTER TABLE source.outbox SET (autovacuum_enabled = off)")
            try await stage.client.execute("VACUUM ANALYZE source.outbox")
            let leader = Replica(stage)
            try await leader.leads()
            let (rounds, size) = (80, 100)
            for round in 1...rounds {
                // They are made anew, knowing how few of the rows wait.
                if round == rounds / 2 { try await stage.client.execute("ANALYZE source.outbox") }
                try await leader.outbox.withTransaction(leader.postgres) { transaction in
                    try await leader.outbox.append((0..<size).map { .numbered($0) }, in: transaction)
                }
                let count = round * size
                try await eventually("\(count) positions") {
                    try await stage.value("SELECT position FROM source.relay_head", as: Int.self) == count
                }
            }
            // Sessions report what they did when they have done something, once a second.
            try await eventually(within: .seconds(30), "statistics") {
                try await stage.value(
                    "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'source.outbox'::regclass", as: Int.self)
                    == rounds * size
            }
            let read: Int = try await stage.value(
                """
                SELECT seq_tup_read + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes i \
                    WHERE i.relid = t.relid AND indexrelname <> 'outbox_pkey') \
                FROM pg_stat_user_tables t WHERE relid = 'source.outbox'::regclass
                """)
            // Each a few times. All that have waited, at each look, would be 40 times as many.
            #expect((rounds * size..<10 * rounds * size).contains(read))
            try await leader.processes.stop()
        }
    }

    @Test func `without any ring a poll finds what was committed`() async throws {
        try await Stage.with { stage in
            let relay = Replica(stage)
            try await relay.leads()
            let outbox = Outbox(service: Stage.source)
            var last = 0
            let taken = try await measured(below: .seconds(2)) {
                last += 1
                let number = last
                try await stage.client.withTransaction { try await outbox.append(.numbered(number), in: $0) }
                let start = ContinuousClock.now
                try await eventually("its position") { try await stage.positions() == Array(1...Int64(number)) }
                return ContinuousClock.now - start
            }
            #expect(taken < .seconds(2))
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

    @Test func `without Redis positions are given, and when it is back events are told again`() async throws {
        let redis = try await TestRedis.start()
        try await Stage.with(redis: redis) { stage in
            let relay = Replica(stage)
            try await relay.leads()
            try await redis.stop()
            try await relay.publish(1...50)
            try await eventually("positions") { try await stage.positions().sorted() == Array(1...50) }
            redis.freeze()
            try await redis.start()
            redis.freeze()
            try await relay.publish(51...60)
            try await eventually("positions while it is frozen") {
                try await stage.positions().sorted() == Array(1...60)
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
            #expect(try await stage.positions().sorted() == Array(1...1234))
            try await eventually("all heard") { listener.events.count == 1234 }
            // And a relay that takes over rings once for the last event, should nobody have told of it.
            let next = Replica(stage)
            try await eventually("the last is told again") { listener.events.count == 1235 }
            #expect(listener.events.last?.position == 1234)
            try await next.processes.stop()
            try await listener.stop()
        }
    }
}
