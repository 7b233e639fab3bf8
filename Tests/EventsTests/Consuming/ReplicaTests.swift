import Foundation
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Events

/// Several replicas of a reader, and one that ends.
@Suite struct ReplicaTests {
    @Test func `two consumers of two replicas each apply every event once, in the order of its subject`() async throws {
        try await Stage.withStub { stage, source in
            let readers = ["reader", "other"].flatMap { schema in
                ["a", "b"].map { Reader.start(stage, [source.address], schema: schema, name: schema + $0) }
            }
            let saying = Task {
                for start in stride(from: 1, to: 600, by: 20) {
                    let events = source.keep(start..<start + 20)
                    // Some are lost, some told twice.
                    try await source.say(events.filter { $0.position % 7 != 0 })
                    try await source.say(events.filter { $0.position % 5 == 0 })
                }
            }
            try await saying.value
            for schema in ["reader", "other"] { try await stage.expect(1...600, by: schema) }
            // Each was told to one replica only.
            try await eventually("told") { readers.map(\.journal.numbers.count).reduce(0, +) == 1200 }
            let told = readers.prefix(2).flatMap(\.journal.numbers)
            #expect(told.sorted() == Array(1...600))
            for reader in readers { try await reader.stop() }
        }
    }

    @Test func `a replica that stands still in a transaction does not hold up the others for ever`() async throws {
        try await Stage.withStub { stage, source in
            source.keep(1...3)
            var settings = ConsumerSettings.quick
            settings.silence = .seconds(1)
            let isFirst = Mutex(true)
            let note = Stage.note()
            let stuck: EventConsumer.Handler = { event, transaction in
                try await note(event, transaction)
                if isFirst.withLock({ first in
                    defer { first = false }
                    return first
                }) {
                    // Until the test's end: as a process that was stopped.
                    await withTaskCancellationHandler {
                        await Signal().wait()
                    } onCancel: {
                    }
                }
            }
            let frozen = Reader.start(
                stage, [source.address], name: "frozen", handlers: ["thing.changed": stuck], settings: settings)
            try await eventually("it stands still") { !isFirst.withLock { $0 } }
            let healthy = Reader.start(stage, [source.address], name: "healthy", settings: settings)
            try await stage.expect(1...3)
            await frozen.processes.kill()
            #expect(try await stage.applied() == [1, 2, 3])
            try await healthy.stop()
        }
    }

    @Test func `shutdown finishes the transaction under way and begins no other`() async throws {
        try await Stage.withStub { stage, source in
            source.keep(1...50)
            var settings = ConsumerSettings.trusting
            settings.batch = 10
            let entered = Signal()
            let mayGo = Signal()
            let note = Stage.note()
            let handler: EventConsumer.Handler = { event, transaction in
                if event.number == 15 {
                    entered.ring()
                    await mayGo.wait()
                }
                try await note(event, transaction)
            }
            let reader = Reader.start(
                stage, [source.address], handlers: ["thing.changed": handler], settings: settings)
            await entered.wait()
            try await eventually("subscribed") {
                try await stage.redis.cli("PUBSUB", "NUMSUB", Outbox.channel(Stage.source)).hasSuffix("1")
            }
            let stopping = Task { try await reader.stop() }
            // It is told to end while the second batch is half done.
            try await eventually("told") {
                try await stage.redis.cli("PUBSUB", "NUMSUB", Outbox.channel(Stage.source)).hasSuffix("0")
            }
            mayGo.ring()
            try await stopping.value
            #expect(try await stage.applied() == Array(1...20))
            #expect(try await stage.cursor() == 20)
            #expect(reader.journal.numbers == Array(1...20))
        }
    }

    @Test func `a kill in the middle of a batch leaves nothing half done`() async throws {
        try await Stage.withStub { stage, source in
            source.keep(1...50)
            let entered = Signal()
            let note = Stage.note()
            let handler: EventConsumer.Handler = { event, transaction in
                try await note(event, transaction)
                if event.number == 15 {
                    entered.ring()
                    await Signal().wait()
                }
            }
            let reader = Reader.start(
                stage, [source.address], handlers: ["thing.changed": handler], settings: .trusting)
            await entered.wait()
            await reader.processes.kill()
            #expect(try await stage.applied().isEmpty)
            let next = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.expect(1...50)
            try await next.stop()
        }
    }
}
