import Foundation
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Events

/// Events that can't take effect, now or ever.
@Suite struct ParkingTests {
    @Test func `a poison event is parked with its reason and blocks nothing`() async throws {
        struct Poison: Error {}
        try await Stage.withStub { stage, source in
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
            try await stage.expect((1...20).filter { ![7, 9, 11].contains($0) })
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
            try await stage.expect((1...21).filter { ![7, 9, 11].contains($0) })
            #expect(try await stage.parked().map(\.0) == [7, 9, 11, 21])
            try await reader.stop()
        }
    }

    @Test func `an event that fails for a while takes effect when it can, in its place`() async throws {
        struct NotYet: Error {}
        try await Stage.withStub { stage, source in
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
            try await stage.expect(1...4)
            #expect(try await stage.parked().isEmpty)
            try await reader.stop()
        }
    }

    @Test func `collisions and outages never park an event, however many`() async throws {
        try await Stage.withStub { stage, source in
            let failures = Mutex(0)
            let note = Stage.note()
            // The last three are of a release under way: no such table, no such column, no right to it.
            let states = ["40001", "40P01", "57P01", "53300", "55P03", "25006", "57014", "42P01", "42703", "42501"]
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
            try await stage.expect(1...3)
            #expect(try await stage.parked().isEmpty)
            try await reader.stop()
        }
    }

    @Test func `what can't be read at all is parked in its place`() async throws {
        try await Stage.withStub { stage, source in
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
            try await stage.expect([1, 4])
            #expect(try await stage.parked().map(\.0) == [2, 3])
            #expect(try await stage.parked().map(\.1) == ["not an event: time", "not an event: depth"])
            try await reader.stop()
        }
    }
}
