import Redis
import TestKit
import Testing

@testable import Events

extension Stage {
    /// The type of events that nobody handles: they move the cursor, and no more.
    static let unhandled = "thing.unhandled"

    /// A stage with a source whose words are the test's to choose.
    static func withStub(
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

    /// Waits until these took effect, and expects that nothing else did.
    func expect(_ numbers: some Sequence<Int>, by reader: String = "reader") async throws {
        let expected = numbers.map(Int64.init)
        try await eventually("\(expected.count) events in their order") {
            let applied = try await self.applied(by: reader)
            // Too many can't be waited away.
            if applied.count >= expected.count { #expect(applied == expected) }
            return applied.count >= expected.count
        }
    }

    /// Until it hears, and the look that its subscription calls for is over: two events in turn that nobody handles
    /// moved the cursor without a question to the source. The first may be heard before that look, and the second is only
    /// heard after it.
    func settled(_ source: StubSource) async throws {
        try await eventually("subscribed") {
            try await redis.cli("PUBSUB", "NUMSUB", Outbox.channel(Stage.source)).hasSuffix("1")
        }
        try await eventually("has a cursor") { try await cursor() != nil }
        try await eventually("has looked") {
            let asked = source.asked
            for _ in 1...2 {
                let events = source.keep([0], type: Stage.unhandled)
                try await source.say(events)
                try await eventually("the cursor follows") { try await cursor() == events[0].position }
            }
            return source.asked == asked
        }
    }
}
