import NIOCore
import Testing

@testable import Redis

@Suite struct CommandQueueTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func queue(capacity: Int = 8) -> CommandQueue<String> {
        CommandQueue(capacity: capacity, timeout: .seconds(1))
    }

    @Test func answersBelongToCommandsInTheOrderTheyWereSent() {
        var queue = queue()
        for name in ["a", "b", "c"] { _ = queue.append(name, id: 0, now: start) }
        let answered = (0..<4).map { _ in queue.popFirst()?.element }
        #expect(answered == ["a", "b", "c", nil])
    }

    @Test func beyondItsCapacityItTakesNothing() {
        var queue = queue(capacity: 2)
        let taken = ["a", "b", "c"].map { queue.append($0, id: 0, now: start) }
        #expect(taken == [true, true, false])
        #expect(queue.count == 2)
        _ = queue.popFirst()
        let afterwards = queue.append("c", id: 0, now: start)
        #expect(afterwards)
    }

    @Test func aCancelledCommandKeepsItsPlaceSoThatItsAnswerGoesToNobodyElse() {
        var queue = queue()
        _ = queue.append("a", id: 1, now: start)
        _ = queue.append("b", id: 2, now: start)
        let cancelled = [1, 1, 9].map { queue.cancel(id: $0) }
        #expect(cancelled == ["a", nil, nil])
        let first = queue.popFirst()
        #expect(first?.id == 1)
        #expect(first?.element == nil)
        let second = queue.popFirst()
        #expect(second?.element == "b")
    }

    @Test func theTimerFollowsTheFirstCommand() {
        var queue = queue()
        let action1 = queue.timerFired(due: start, now: start)
        #expect(action1 == .disarm)
        _ = queue.append("a", id: 0, now: start)
        _ = queue.append("b", id: 0, now: start + .milliseconds(300))
        _ = queue.popFirst()
        let due = start + .seconds(1)
        let action2 = queue.timerFired(due: due, now: due)
        #expect(action2 == .rearm(start + .milliseconds(1300)))
    }

    @Test func onlyThoseWhoseTimeIsUpHaveExpired() {
        var queue = queue()
        _ = queue.append("a", id: 0, now: start)
        _ = queue.append("b", id: 0, now: start)
        _ = queue.append("c", id: 0, now: start + .milliseconds(1))
        let due = start + .seconds(1)
        let action3 = queue.timerFired(due: due, now: due)
        #expect(action3 == .expired(count: 2))
        let all = queue.removeAll().map(\.element)
        #expect(all == ["a", "b", "c"])
        #expect(queue.isEmpty)
    }

    @Test func aTimerThatFiresLateLetsTheLoopReadOnceBeforeItJudges() {
        var queue = queue()
        _ = queue.append("a", id: 0, now: start)
        let due = start + .seconds(1)
        let late = due + .seconds(5)
        let action4 = queue.timerFired(due: due, now: late)
        #expect(action4 == .rearm(late + .milliseconds(20)))
        let again = late + .seconds(3)
        let action5 = queue.timerFired(due: late + .milliseconds(20), now: again)
        #expect(action5 == .expired(count: 1))
    }
}
