import Synchronization
import TestKit
import Testing

@testable import Events

@Suite struct WaitingTests {
    @Test func `waits double up to a cap, half of it by chance`() {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
        #expect(
            (0..<6).map { _ in backoff.next(random: 1) }.map { $0 / .milliseconds(1) } == [
                100, 200, 400, 800, 1000, 1000,
            ])
        #expect(backoff.failures == 6)
        backoff.reset()
        #expect(backoff.next(random: 0) == .milliseconds(50))
        for _ in 0..<200 { _ = backoff.next() }
        let wait = backoff.next()
        #expect(wait >= .milliseconds(500) && wait <= .seconds(1))
    }

    @Test func `a ring that nobody waited for is kept, as one`() async {
        let signal = Signal()
        signal.ring()
        signal.ring()
        await signal.wait()
        let start = ContinuousClock.now
        await signal.wait(until: start + .milliseconds(30))
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test func `a ring, a stop and a cancellation each wake who waits`() async throws {
        for wake in [{ $0.ring() }, { $0.stop() }] as [@Sendable (Signal) -> Void] {
            let signal = Signal()
            let task = Task { await signal.wait() }
            wake(signal)
            await task.value
        }
        let signal = Signal()
        let task = Task { await signal.wait() }
        task.cancel()
        await task.value
        signal.stop()
        await signal.wait()
        #expect(signal.isStopped)
    }

    @Test func `no ring is lost between a thousand waits`() async {
        let there = Signal()
        let back = Signal()
        let echo = Task {
            for _ in 0..<1000 {
                await there.wait()
                back.ring()
            }
        }
        for _ in 0..<1000 {
            there.ring()
            await back.wait()
        }
        await echo.value
    }

    @Test func `messages that find no room are dropped, and known to be missing`() async {
        let arrivals = Arrivals()
        arrivals.subscribed()
        #expect(arrivals.take().mayHaveMissed)
        for _ in 0..<1024 { arrivals.add(.init(string: "x")) }
        var taken = arrivals.take()
        #expect(taken.messages.count == 1024 && !taken.mayHaveMissed && taken.isSubscribed)
        for _ in 0..<5000 { arrivals.add(.init(string: "x")) }
        taken = arrivals.take()
        #expect(taken.messages.count == 1024 && taken.mayHaveMissed)
        let large = String(repeating: "x", count: 1 << 20)
        for _ in 0..<5 { arrivals.add(.init(string: large)) }
        taken = arrivals.take()
        #expect(taken.messages.count == 2 && taken.mayHaveMissed)
        arrivals.cutOff()
        #expect(!arrivals.take().isSubscribed)
    }
}
