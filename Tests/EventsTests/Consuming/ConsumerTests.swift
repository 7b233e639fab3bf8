import Foundation
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Events

/// A consumer beside a source whose words are the test's to choose.
@Suite struct ConsumerTests {
    @Test func `messages that come in order are applied without asking the owner`() async throws {
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.settled(source)
            let asked = source.asked
            try await source.say(source.keep(1...20))
            try await stage.expect(1...20)
            #expect(source.asked == asked)
            try await reader.stop()
        }
    }

    @Test func `a gap is filled from the ledger, and duplicates and old words change nothing`() async throws {
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.settled(source)
            let events = source.keep(1...30)
            // Lost: 1-4. Reordered: 8 before 7. Told again: 5 and all of the first half.
            try await source.say([events[4], events[4], events[5], events[7], events[6]])
            try await source.say(Array(events[0..<15]))
            try await stage.expect(1...30)
            try await source.say(events.reversed())
            try await source.say(source.keep([31]))
            try await stage.expect(1...31)
            try await eventually("told") { reader.journal.numbers == Array(1...31) }
            try await reader.stop()
        }
    }

    @Test func `rubbish on the channel is no event, and makes it look`() async throws {
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.settled(source)
            source.keep(1...3)
            for word in ["", "{}", "rubbish"] {
                try await stage.redis.cli("PUBLISH", Outbox.channel(Stage.source), word)
            }
            try await stage.expect(1...3)
            // Of another source, though on this channel.
            var foreign = source.keep([4])
            foreign[0].source = "another"
            try await source.say(foreign)
            try await stage.expect(1...4)
            try await reader.stop()
        }
    }

    @Test func `the owner being away delays what was missed, and nothing else`() async throws {
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address])
            try await stage.settled(source)
            source.state.withLock { $0.status = 503 }
            try await source.say(source.keep(1...5))
            // In order: no need to ask.
            try await stage.expect(1...5)
            source.keep(6...9)
            try await source.say(source.keep([10]))
            let asked = source.asked
            try await eventually("asked again and again") { source.asked > asked + 3 }
            #expect(try await stage.applied().count == 5)
            source.state.withLock { $0.status = nil }
            try await stage.expect(1...10)
            // Answers that are none are an outage as well.
            source.state.withLock { $0.body = { _, _ in "<html>" } }
            source.keep([11])
            let again = source.asked
            try await eventually("asked again and again") { source.asked > again + 3 }
            #expect(try await stage.parked().isEmpty)
            source.state.withLock { $0.body = nil }
            try await stage.expect(1...11)
            try await reader.stop()
        }
    }
}
