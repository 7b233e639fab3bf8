import Foundation
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Events

/// Where a consumer begins.
@Suite struct StartTests {
    @Test func `a start pulls all that the owner keeps, page by page`() async throws {
        try await Stage.withStub { stage, source in
            source.keep(1...1234)
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.expect(1...1234)
            #expect(try await stage.cursor() == 1234)
            try await eventually("told") { reader.journal.numbers == Array(1...1234) }
            try await reader.stop()
            // And the next start goes on from there.
            source.keep(1235...1240)
            let next = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.expect(1...1240)
            #expect(next.journal.numbers.allSatisfy { $0 > 1234 })
            try await next.stop()
        }
    }

    @Test func `without a cursor and a snapshot it begins at the oldest that is kept`() async throws {
        try await Stage.withStub { stage, source in
            source.state.withLock { $0.oldest = 41 }
            source.keep(41...50)
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await stage.expect(41...50)
            #expect(try await stage.cursor() == 50)
            try await reader.stop()
        }
    }

    @Test func `a source whose events begin anew is noticed and gone on with`() async throws {
        try await Stage.withStub { stage, source in
            source.keep(1...30)
            let reader = Reader.start(stage, [source.address])
            try await stage.expect(1...30)
            // Restored to the tenth; four new ones since.
            source.state.withLock { $0.events.removeLast(20) }
            try await eventually("the cursor is set back") { try await stage.cursor() == 10 }
            try await source.say(source.keep(101...104))
            try await stage.expect(Array(1...30) + Array(101...104))
            try await reader.stop()
            // Restored while nobody looked, and already beyond the cursor: the event there is another one.
            source.state.withLock { $0.events.removeLast(4) }
            source.keep(201...210)
            let next = Reader.start(stage, [source.address])
            try await eventually("the cursor is at the head") { try await stage.cursor() == 20 }
            try await source.say(source.keep([211]))
            try await stage.expect(Array(1...30) + Array(101...104) + [211])
            try await next.stop()
        }
    }

    @Test func `events pruned before they were read are skipped, with an error, by a consumer without a snapshot`()
        async throws
    {
        try await Stage.withStub { stage, source in
            source.keep(1...10)
            let reader = Reader.start(stage, [source.address])
            try await stage.expect(1...10)
            try await reader.stop()
            source.keep(11...40)
            source.state.withLock { state in
                state.oldest = 31
                state.events.removeFirst(30)
            }
            let next = Reader.start(stage, [source.address])
            try await stage.expect(Array(1...10) + Array(31...40))
            try await next.stop()
        }
    }
}
