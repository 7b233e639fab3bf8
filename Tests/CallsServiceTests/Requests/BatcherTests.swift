import Synchronization
import TestKit
import Testing

@testable import CallsService

@Suite struct BatcherTests {
    @Test func `what comes while a batch is worked on is the next one, and each gets its own outcome`() async throws {
        let work = HeldWork()
        let batcher = work.batcher(most: 10)
        async let first = batcher.outcome(of: 0)
        try await work.began(1)
        async let others = all([1, 2, 3, 4, 5]) { await batcher.outcome(of: $0) }
        try await eventually("five wait") { batcher.waitingCount == 5 }
        work.finish(0)
        work.finish(1)
        #expect(await first == 0)
        let outcomes = try await others
        #expect(outcomes == [10, 20, 30, 40, 50])
        #expect(work.batches.map(\.count) == [1, 5])
        // After a quiet moment all is as at first.
        work.finish(2)
        #expect(await batcher.outcome(of: 6) == 60)
    }

    @Test func `as many as a batch holds wait for none`() async throws {
        let work = HeldWork()
        let batcher = work.batcher(most: 3)
        async let first = batcher.outcome(of: 0)
        try await work.began(1)
        async let full = all([1, 2, 3, 4, 5, 6]) { await batcher.outcome(of: $0) }
        try await work.began(3)
        work.finish(1)
        work.finish(2)
        let outcomes = try await full
        #expect(outcomes == [10, 20, 30, 40, 50, 60])
        work.finish(0)
        #expect(await first == 0)
        #expect(work.batches.map(\.count) == [1, 3, 3])
    }

    @Test func `a batch that takes long holds nobody up, whoever waits already`() async throws {
        let work = HeldWork()
        let batcher = work.batcher(most: 10, patience: .milliseconds(50))
        async let first = batcher.outcome(of: 0)
        try await work.began(1)
        work.finish(1)
        #expect(await batcher.outcome(of: 1) == 10)
        work.finish(0)
        #expect(await first == 0)
        #expect(work.batches == [[0], [1]])
    }

    @Test func `who is cancelled takes nothing from the others`() async throws {
        let work = HeldWork()
        let batcher = work.batcher(most: 10)
        let one = Task { await batcher.outcome(of: 1) }
        try await work.began(1)
        let others = [2, 3].map { item in Task { await batcher.outcome(of: item) } }
        try await eventually("two wait") { batcher.waitingCount == 2 }
        one.cancel()
        others[0].cancel()
        work.finish(0)
        work.finish(1)
        #expect(await one.value == 10)
        #expect(await others[0].value == 20)
        #expect(await others[1].value == 30)
    }
}

/// Makes ten times an item of it, batch by batch, each when it is told to.
private final class HeldWork: Sendable {
    private let begun = Mutex<[[Int]]>([])
    private let finished = Mutex<Set<Int>>([])

    var batches: [[Int]] { begun.withLock { $0 } }

    func batcher(most: Int, patience: Duration = .seconds(600)) -> Batcher<Int, Int> {
        Batcher(most: most, patience: patience, executor: nil) { items in
            let number = self.begun.withLock { begun in
                begun.append(items)
                return begun.count - 1
            }
            while !self.finished.withLock({ $0.contains(number) }) { try? await Task.sleep(for: .milliseconds(1)) }
            return items.map { $0 * 10 }
        }
    }

    /// Waits until as many batches have begun.
    func began(_ count: Int) async throws {
        try await eventually("\(count) batches have begun") { batches.count == count }
    }

    /// Lets a batch end, counted from 0.
    func finish(_ number: Int) {
        _ = finished.withLock { $0.insert(number) }
    }
}
