import NIOCore
import Testing

@testable import Redis

@Suite struct LinkStateMachineTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func connectedMachine() -> LinkStateMachine {
        var machine = LinkStateMachine()
        _ = machine.start()
        _ = machine.connected(now: start)
        return machine
    }

    @Test func commandsWaitForTheFirstConnectionAndForNoLaterOne() {
        var machine = LinkStateMachine()
        #expect(machine.admission == .wait)
        let action1 = machine.start()
        #expect(action1 == .connect)
        #expect(machine.admission == .wait)
        let action2 = machine.connected(now: start)
        #expect(action2 == .none)
        #expect(machine.admission == .send)
        _ = machine.disconnected(now: start, jitter: 0)
        #expect(machine.admission == .refuse(.unavailable))
        let action3 = machine.retryDue()
        #expect(action3 == .connect)
        #expect(machine.admission == .refuse(.unavailable))
    }

    @Test func afterTheFirstSecondCommandsFailAtOnce() {
        var machine = LinkStateMachine()
        _ = machine.start()
        _ = machine.disconnected(now: start, jitter: 0)
        #expect(machine.admission == .wait)
        machine.windowClosed()
        #expect(machine.admission == .refuse(.unavailable))
    }

    @Test func itStartsOnce() {
        var machine = LinkStateMachine()
        let action4 = machine.start()
        #expect(action4 == .connect)
        let action5 = machine.start()
        #expect(action5 == .none)
    }

    @Test func delaysDoubleUpToASecond() {
        var machine = LinkStateMachine()
        _ = machine.start()
        var delays: [TimeAmount] = []
        for _ in 0..<7 {
            guard case .retry(let delay) = machine.disconnected(now: start, jitter: 0) else { break }
            delays.append(delay)
            let action6 = machine.retryDue()
            #expect(action6 == .connect)
        }
        #expect(delays == [25, 50, 100, 200, 400, 500, 500].map { .milliseconds($0) })
        #expect(LinkStateMachine.delay(attempt: 1000, jitter: 0.999) <= .seconds(1))
    }

    @Test func aConnectionThatLivedStartsTheDelaysAnewAndOneThatDidNotDoesNot() {
        var machine = connectedMachine()
        let action7 = machine.disconnected(now: start, jitter: 0)
        #expect(action7 == .retry(after: .milliseconds(25)))
        _ = machine.retryDue()
        _ = machine.connected(now: start)
        let action8 = machine.disconnected(now: start + .milliseconds(1), jitter: 0)
        #expect(action8 == .retry(after: .milliseconds(50)))
        _ = machine.retryDue()
        _ = machine.connected(now: start)
        let action9 = machine.disconnected(now: start + .seconds(2), jitter: 0)
        #expect(action9 == .retry(after: .milliseconds(25)))
    }

    @Test func aGracefulStopLetsWhatIsInFlightBeAnswered() {
        var machine = connectedMachine()
        let action10 = machine.stop(gracefully: true)
        #expect(action10 == .drainConnection)
        #expect(machine.admission == .refuse(.closed))
        let action11 = machine.disconnected(now: start, jitter: 0)
        #expect(action11 == .finish)
        let action12 = machine.retryDue()
        #expect(action12 == .none)
    }

    @Test func aSecondStopIsAtOnce() {
        var machine = connectedMachine()
        _ = machine.stop(gracefully: true)
        let action13 = machine.stop(gracefully: false)
        #expect(action13 == .closeConnection)
    }

    @Test func stoppedWhileAwayItIsFinishedAtOnceAndNeverConnectsAgain() {
        var machine = connectedMachine()
        _ = machine.disconnected(now: start, jitter: 0)
        let action14 = machine.stop(gracefully: true)
        #expect(action14 == .finish)
        let action15 = machine.retryDue()
        #expect(action15 == .none)
        let action16 = machine.stop(gracefully: false)
        #expect(action16 == .none)
    }

    @Test func stoppedWhileConnectingItFinishesWhenTheAttemptHasEnded() {
        var machine = LinkStateMachine()
        _ = machine.start()
        let action17 = machine.stop(gracefully: true)
        #expect(action17 == .closeConnection)
        let action18 = machine.connected(now: start)
        #expect(action18 == .closeConnection)
        let action19 = machine.disconnected(now: start, jitter: 0)
        #expect(action19 == .finish)
    }
}
