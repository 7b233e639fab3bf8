import Foundation
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Events

/// A consumer beside a source whose words are the test's to choose.
@Suite struct ConsumerTests {
    private func with(
        redis: TestRedis? = nil, _ body: (Stage, StubSource) async throws -> Void
    ) async throws {
        try await Stage.with(redis: redis) { stage in
            let source = try StubSource(stage.redis)
            let serving = Running([source.service])
            try await eventually("the source listens") { isListening(source.port) }
            do { try await body(stage, source) } catch {
                try await serving.stop()
                throw error
            }
            try await serving.stop()
        }
    }

    private func expect(_ stage: Stage, _ numbers: some Sequence<Int>, by reader: String = "reader") async throws {
        let expected = numbers.map(Int64.init)
        try await eventually("\(expected.count) events in their order") {
            let applied = try await stage.applied(by: reader)
            // Too many can't be waited away.
            if applied.count >= expected.count { #expect(applied == expected) }
            return applied.count >= expected.count
        }
    }

    /// Until it has looked and hears.
    private func settled(_ stage: Stage, _ source: StubSource) async throws {
        try await eventually("subscribed") {
            try await stage.redis.cli("PUBSUB", "NUMSUB", Outbox.channel(Stage.source)).hasSuffix("1")
        }
        try await eventually("has a cursor") { try await stage.cursor() != nil }
        let asked = source.asked
        try await eventually("has looked") { source.asked >= max(asked, 2) }
    }

    @Test func `a start pulls all that the owner keeps, page by page`() async throws {
        try await with { stage, source in
            source.keep(1...1234)
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await expect(stage, 1...1234)
            #expect(try await stage.cursor() == 1234)
            try await eventually("told") { reader.journal.numbers == Array(1...1234) }
            try await reader.stop()
            // And the next start goes on from there.
            source.keep(1235...1240)
            let next = Reader.start(stage, [source.address], settings: .trusting)
            try await expect(stage, 1...1240)
            #expect(next.journal.numbers.allSatisfy { $0 > 1234 })
            try await next.stop()
        }
    }

    @Test func `without a cursor and a snapshot it begins at the oldest that is kept`() async throws {
        try await with { stage, source in
            source.state.withLock { $0.oldest = 41 }
            source.keep(41...50)
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await expect(stage, 41...50)
            #expect(try await stage.cursor() == 50)
            try await reader.stop()
        }
    }

    @Test func `messages that come in order are applied without asking the owner`() async throws {
        try await with { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await settled(stage, source)
            // What is heard after the subscription takes effect before the look that the subscription calls for, and
            // the next message after it.
            for number in 1...2 {
                try await source.say(source.keep(number...number))
                try await expect(stage, 1...number)
            }
            let asked = source.asked
            try await source.say(source.keep(3...20))
            try await expect(stage, 1...20)
            #expect(source.asked == asked)
            try await reader.stop()
        }
    }

    @Test func `a gap is filled from the ledger, and duplicates and old words change nothing`() async throws {
        try await with { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await settled(stage, source)
            let events = source.keep(1...30)
            // Lost: 1-4. Reordered: 8 before 7. Told again: 5 and all of the first half.
            try await source.say([events[4], events[4], events[5], events[7], events[6]])
            try await source.say(Array(events[0..<15]))
            try await expect(stage, 1...30)
            try await source.say(events.reversed())
            try await source.say(source.keep([31]))
            try await expect(stage, 1...31)
            #expect(reader.journal.numbers == Array(1...31))
            try await reader.stop()
        }
    }

    @Test func `rubbish on the channel is no event, and makes it look`() async throws {
        try await with { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await settled(stage, source)
            source.keep(1...3)
            for word in ["", "{}", "rubbish"] {
                try await stage.redis.cli("PUBLISH", Outbox.channel(Stage.source), word)
            }
            try await expect(stage, 1...3)
            // Of another source, though on this channel.
            var foreign = source.keep([4])
            foreign[0].source = "another"
            try await source.say(foreign)
            try await expect(stage, 1...4)
            try await reader.stop()
        }
    }

    @Test func `the owner being away delays what was missed, and nothing else`() async throws {
        try await with { stage, source in
            let reader = Reader.start(stage, [source.address])
            try await settled(stage, source)
            source.state.withLock { $0.status = 503 }
            try await source.say(source.keep(1...5))
            // In order: no need to ask.
            try await expect(stage, 1...5)
            source.keep(6...9)
            try await source.say(source.keep([10]))
            let asked = source.asked
            try await eventually("asked again and again") { source.asked > asked + 3 }
            #expect(try await stage.applied().count == 5)
            source.state.withLock { $0.status = nil }
            try await expect(stage, 1...10)
            // Answers that are none are an outage as well.
            source.state.withLock { $0.body = { _, _ in "<html>" } }
            source.keep([11])
            let again = source.asked
            try await eventually("asked again and again") { source.asked > again + 3 }
            #expect(try await stage.parked().isEmpty)
            source.state.withLock { $0.body = nil }
            try await expect(stage, 1...11)
            try await reader.stop()
        }
    }

    // MARK: Poison

    @Test func `a poison event is parked with its reason and blocks nothing`() async throws {
        struct Poison: Error {}
        try await with { stage, source in
            let tries = Mutex(0)
            let note = Stage.note()
            let handler: EventConsumer.Handler = { event, transaction in
                try await note(event, transaction)
                if event.number == 7 {
                    tries.withLock { $0 += 1 }
                    throw Poison()
                }
                if event.number == 9 { try await transaction.execute("SELECT 1 / 0") }
                if event.number == 11 {
                    // Swallowed, but the transaction is lost.
                    _ = try? await transaction.execute("SELECT 1 / 0")
                }
            }
            source.keep(1...20)
            let reader = Reader.start(
                stage, [source.address], handlers: ["thing.changed": handler], settings: .trusting)
            try await expect(stage, (1...20).filter { ![7, 9, 11].contains($0) })
            let parked = try await stage.parked()
            #expect(parked.map(\.0) == [7, 9, 11])
            #expect(parked[0].1.contains("Poison"))
            #expect(parked[1].1.contains("22012"))
            // Once in the batch, then alone.
            #expect(tries.withLock { $0 } == 1 + ConsumerSettings.quick.attempts)
            let kept = try await stage.value(
                "SELECT event->'data'->>'number' FROM reader.inbox_parked LIMIT 1", as: String.self)
            #expect(kept == "7")
            #expect(!reader.journal.numbers.contains(7))
            // Also when it comes as a message.
            try await eventually("heard") {
                try await stage.redis.cli("PUBSUB", "NUMSUB", Outbox.channel(Stage.source)).hasSuffix("1")
            }
            try await source.say(source.keep([7, 21]))
            try await expect(stage, (1...21).filter { ![7, 9, 11].contains($0) })
            #expect(try await stage.parked().map(\.0) == [7, 9, 11, 21])
            try await reader.stop()
        }
    }

    @Test func `an event that fails for a while takes effect when it can, in its place`() async throws {
        struct NotYet: Error {}
        try await with { stage, source in
            let failures = Mutex(3)
            let note = Stage.note()
            let handler: EventConsumer.Handler = { event, transaction in
                try await note(event, transaction)
                if event.number == 2,
                    failures.withLock({ left in
                        defer { left -= 1 }
                        return left > 0
                    })
                {
                    throw NotYet()
                }
            }
            source.keep(1...4)
            let reader = Reader.start(stage, [source.address], handlers: ["thing.changed": handler])
            try await expect(stage, 1...4)
            #expect(try await stage.parked().isEmpty)
            try await reader.stop()
        }
    }

    @Test func `collisions and outages never park an event, however many`() async throws {
        try await with { stage, source in
            let failures = Mutex(0)
            let note = Stage.note()
            let states = ["40001", "40P01", "57P01", "53300", "55P03", "25006", "57014"]
            let handler: EventConsumer.Handler = { event, transaction in
                try await note(event, transaction)
                let failure = failures.withLock { count in
                    defer { count += 1 }
                    return count
                }
                guard event.number == 2, failure < 40 else { return }
                let state = states[failure % states.count]
                try await transaction.execute(
                    SQL(unsafeRaw: "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$"))
            }
            source.keep(1...3)
            let reader = Reader.start(stage, [source.address], handlers: ["thing.changed": handler])
            try await expect(stage, 1...3)
            #expect(try await stage.parked().isEmpty)
            try await reader.stop()
        }
    }

    @Test func `what can't be read at all is parked in its place`() async throws {
        try await with { stage, source in
            let events = source.keep(1...3)
            // The second lacks its time; the third can't even be parsed.
            let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
            source.state.withLock { state in
                state.body = { after, limit in
                    var bodies = events.map { String(buffer: $0.envelope) }
                    bodies[1] = bodies[1].replacing(#""time""#, with: #""tame""#)
                    bodies[2] = bodies[2].replacing(#""number":3"#, with: #""number":\#(deep)"#)
                    bodies.append(
                        bodies[0].replacing(#""position":1"#, with: #""position":4"#)
                            .replacing(#""number":1"#, with: #""number":4"#))
                    let page = bodies[min(Int(after), 4)..<min(Int(after + limit), 4)].joined(separator: ",")
                    return #"{"head":4,"oldest":1,"pruned":false,"last":null,"events":[\#(page)]}"#
                }
            }
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await expect(stage, [1, 4])
            #expect(try await stage.parked().map(\.0) == [2, 3])
            #expect(try await stage.parked().map(\.1) == ["not an event: time", "not an event: depth"])
            try await reader.stop()
        }
    }

    // MARK: Replicas

    @Test func `two consumers of two replicas each apply every event once, in the order of its subject`() async throws {
        try await with { stage, source in
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
            for schema in ["reader", "other"] { try await expect(stage, 1...600, by: schema) }
            // Each was told to one replica only.
            try await eventually("told") { readers.map(\.journal.numbers.count).reduce(0, +) == 1200 }
            let told = readers.prefix(2).flatMap(\.journal.numbers)
            #expect(told.sorted() == Array(1...600))
            for reader in readers { try await reader.stop() }
        }
    }

    @Test func `a replica that stands still in a transaction does not hold up the others for ever`() async throws {
        try await with { stage, source in
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
            try await expect(stage, 1...3)
            await frozen.processes.kill()
            #expect(try await stage.applied() == [1, 2, 3])
            try await healthy.stop()
        }
    }

    @Test func `shutdown finishes the transaction under way and begins no other`() async throws {
        try await with { stage, source in
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
        try await with { stage, source in
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
            try await expect(stage, 1...50)
            try await next.stop()
        }
    }

    // MARK: A source that is not what it was

    @Test func `a source whose events begin anew is noticed and gone on with`() async throws {
        try await with { stage, source in
            source.keep(1...30)
            let reader = Reader.start(stage, [source.address])
            try await expect(stage, 1...30)
            // Restored to the tenth; four new ones since.
            source.state.withLock { $0.events.removeLast(20) }
            try await eventually("the cursor is set back") { try await stage.cursor() == 10 }
            try await source.say(source.keep(101...104))
            try await expect(stage, Array(1...30) + Array(101...104))
            try await reader.stop()
            // Restored while nobody looked, and already beyond the cursor: the event there is another one.
            source.state.withLock { $0.events.removeLast(4) }
            source.keep(201...210)
            let next = Reader.start(stage, [source.address])
            try await eventually("the cursor is at the head") { try await stage.cursor() == 20 }
            try await source.say(source.keep([211]))
            try await expect(stage, Array(1...30) + Array(101...104) + [211])
            try await next.stop()
        }
    }

    @Test func `events pruned before they were read are skipped, with an error, by a consumer without a snapshot`()
        async throws
    {
        try await with { stage, source in
            source.keep(1...10)
            let reader = Reader.start(stage, [source.address])
            try await expect(stage, 1...10)
            try await reader.stop()
            source.keep(11...40)
            source.state.withLock { state in
                state.oldest = 31
                state.events.removeFirst(30)
            }
            let next = Reader.start(stage, [source.address])
            try await expect(stage, Array(1...10) + Array(31...40))
            try await next.stop()
        }
    }
}
