import Foundation
import Testing

@testable import TestKit

@Suite("Measurements on a machine that may stand still") struct StillnessTests {
    /// Beside a watch that was so late: what measurements of so many seconds, one after the other, come to in the end,
    /// and how many of them were made.
    private static func outcome(_ results: [Int], late: Duration) async throws -> [Int] {
        var count = 0
        let watch: () -> Duration = { late }
        let taken = try await measured(below: .seconds(1), attempts: 3, watching: { watch }) {
            count += 1
            return .seconds(results[count - 1])
        }
        return [Int(taken.components.seconds), count]
    }

    @Test func `what took too long is measured anew only if the machine stood still, and three times at most`()
        async throws
    {
        #expect(try await Self.outcome([2, 3, 0, 9], late: .milliseconds(201)) == [0, 3])
        #expect(try await Self.outcome([2, 3, 4, 0], late: .milliseconds(201)) == [4, 3])
        #expect(try await Self.outcome([2, 0], late: .milliseconds(200)) == [2, 1])
        // Good in spite of it.
        #expect(try await Self.outcome([0, 2], late: .seconds(5)) == [0, 1])
    }

    @Test func `a watch that is kept from waking says how late it was`() async throws {
        let watch = Stillness { usleep(300_000) }
        try await eventually("it is late") { watch.worst > .milliseconds(200) }
        #expect(watch.end() > .milliseconds(200))
    }
}
