import Foundation
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import Events

/// A source that counts anew, and says so before anybody has looked.
@Suite struct ResetTests {
    @Test func `another event in the last one's place makes it look, and nothing is heard until then`() async throws {
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.settled(source)
            try await source.say(source.keep(1...3))
            try await stage.expect(1...3)
            // Restored to before the third event, and gone on from there.
            source.state.withLock { state in
                state.events.removeLast()
                state.status = 503
            }
            let anew = source.keep([103, 104])
            let asked = source.asked
            try await source.say(anew)
            try await eventually("it wants to look") { source.asked > asked + 2 }
            // What comes right after the cursor by its number is none of its events.
            try await source.say(source.keep([105]))
            let again = source.asked
            try await eventually("it still wants to look") { source.asked > again + 2 }
            #expect(try await stage.applied() == [1, 2, 3])
            source.state.withLock { $0.status = nil }
            let head = try #require(source.state.withLock { $0.events.last?.position })
            try await eventually("the cursor is at the head") { try await stage.cursor() == head }
            try await source.say(source.keep([106]))
            try await stage.expect([1, 2, 3, 106])
            #expect(try await stage.parked().isEmpty)
            try await reader.stop()
        }
    }

    @Test func `the last event told again is no reason to look`() async throws {
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.settled(source)
            let events = source.keep(1...3)
            try await source.say(events)
            try await stage.expect(1...3)
            let asked = source.asked
            try await source.say([events[2]])
            try await source.say(source.keep([4]))
            try await stage.expect(1...4)
            #expect(source.asked == asked)
            try await reader.stop()
        }
    }
}
