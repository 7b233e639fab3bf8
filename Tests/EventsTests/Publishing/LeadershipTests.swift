import Foundation
import NIOCore
import Postgres
import Redis
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import Events
/// Which relay gives positions, when there are several.
@Suite struct LeadershipTests {
    /// The server processes of the sessions that hold a relay's lock in this database.
    private func leaders(_ stage: Stage) async throws -> [Int32] {
        try await stage.client.read(
            """
            SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted \
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        ).decode(Int32.self)
    }

    @Test func `one relay leads, and when it dies another does within a second or so`() async throws {
        try await Stage.with { stage in
            let listener = try await Listener(stage)
            var replicas = [Replica(stage, name: "a"), Replica(stage, name: "b"), Replica(stage, name: "c")]
            var number = 0
            for _ in 0..<2 {
                let taken = try await measured(below: .seconds(3)) { () async throws -> Duration in
                    // One more, if a measurement that did not count has used up one.
                    if replicas.count < 2 {
                        let more = Replica(stage, name: "d")
                        replicas.append(more)
                        try await more.publish([number])
                        number += 1
                    }
                    let leader = try await eventually("one leads") {
                        replicas.firstIndex { $0.outbox.doorbell.isLeading }
                    }
                    #expect(replicas.count { $0.outbox.doorbell.isLeading } == 1)
                    let victim = replicas.remove(at: leader)
                    try await victim.publish(number..<number + 10)
                    await victim.processes.kill()
                    let start = ContinuousClock.now
                    number += 10
                    let next = try #require(replicas.first)
                    try await next.publish(number..<number + 10)
                    number += 10
                    try await eventually("the next has taken over") {
                        replicas.contains { $0.outbox.doorbell.isLeading }
                    }
                    let taken = ContinuousClock.now - start
                    try await eventually("all have positions") {
                        try await stage.positions().sorted() == Array(1...Int64(number))
                    }
                    return taken
                }
                #expect(taken < .seconds(3))
            }
            #expect(try await stage.positions().sorted() == Array(1...Int64(number)))
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
                try await stage.positions().sorted() == Array(1...total)
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
            #expect(try await stage.positions().sorted() == Array(1...Int64(numbers)))
            #expect(try await stage.value("SELECT position FROM source.relay_head") == Int64(numbers))
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
            try await eventually("positions") { try await stage.positions().sorted() == Array(1...total) }
            for replica in replicas { try await replica.processes.stop() }
        }
    }
}
