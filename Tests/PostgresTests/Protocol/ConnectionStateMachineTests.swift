import Testing

@testable import Postgres

@Suite struct ConnectionStateMachineTests {
    typealias Machine = ConnectionStateMachine<String, Int>

    private func query(_ work: String, _ fate: Machine.Fate, statement: Int? = nil) -> Machine.Step {
        .query(.init(work: work, fate: fate, statement: statement))
    }

    private func machine(_ steps: Machine.Step...) -> Machine {
        var machine = Machine()
        for step in steps { machine.send(step) }
        return machine
    }

    /// What each action says, short enough to compare.
    private func words(_ action: Machine.Action) -> String {
        switch action {
        case .none: "none"
        case .complete(let work, let answer): "complete \(work) \(answer)"
        case .fail(let work, let error): "fail \(work) \(error.code)"
        case .resend(let work, let alone): "resend \(work)\(alone ? " alone" : "")"
        case .heal(let work): "heal \(work)"
        case .prepared(let statement): "prepared \(statement)"
        case .forget(let statement): "forget \(statement)"
        case .feed(let work, _): "feed \(work)"
        case .close: "close"
        }
    }

    private func replay(_ machine: inout Machine, _ replies: Machine.Reply...) -> [String] {
        replies.map { words(machine.received($0)) }.filter { $0 != "none" }
    }

    private func lose(_ machine: inout Machine, _ cause: ServerFailure?) -> [String] {
        machine.lost(cause).map(words)
    }

    private func cancel(_ machine: inout Machine, _ work: String) -> Machine.Cancellation {
        machine.cancel(work)
    }

    private let division = Machine.Reply.failure(ServerFailure(sqlState: "22012"))
    private let cancelled = Machine.Reply.failure(ServerFailure(sqlState: "57014"))

    @Test func `A read is answered with its rows, before its Sync`() {
        var machine = machine(.prepare(statement: 1), query("a", .repeatable, statement: 1), .sync)
        #expect(replay(&machine, .answer(0), .end, .answer(7)) == ["prepared 1", "complete a 7"])
        #expect(!machine.isIdle)
        #expect(replay(&machine, .end, .synced) == [])
        #expect(machine.isIdle)
    }

    @Test func `A write is answered only at its Sync`() {
        var machine = machine(query("w", .once), .sync)
        #expect(replay(&machine, .answer(1), .end) == [])
        #expect(replay(&machine, .synced) == ["complete w 1"])
    }

    @Test func `A write whose commit fails at the Sync has failed`() {
        var machine = machine(query("w", .once), .sync)
        #expect(
            replay(&machine, .answer(1), .end, .failure(ServerFailure(sqlState: "23503")), .end, .synced)
                == ["fail w server"])
    }

    @Test func `One failing read takes down none of its neighbours`() {
        var machine = machine(query("a", .repeatable), query("b", .repeatable), query("c", .repeatable), .sync)
        let told = replay(&machine, .answer(1), .end, division, .end, .aborted, .end, .synced)
        #expect(told == ["complete a 1", "fail b server", "resend c alone"])
        #expect(machine.isIdle)
    }

    @Test func `A statement that can't be prepared fails the query it was for, and the next goes again`() {
        var machine = machine(
            .prepare(statement: 1), query("a", .repeatable, statement: 1), .prepare(statement: 2),
            query("b", .repeatable, statement: 2), .sync)
        let told = replay(&machine, division, .end, .aborted, .end, .aborted, .end, .aborted, .end, .synced)
        #expect(told == ["forget 1", "fail a server", "forget 2", "resend b alone"])
    }

    @Test func `A transaction whose BEGIN fails tells why`() {
        var machine = machine(.aside, query("t", .transaction), .sync)
        #expect(replay(&machine, division, .end, .aborted, .end, .synced) == ["fail t server"])
    }

    @Test(arguments: ["26000", "42P05"])
    func `A stale prepared statement is healed, at once for a read, at the Sync for a write`(state: String) {
        let stale = Machine.Reply.failure(ServerFailure(sqlState: state))
        var read = machine(query("r", .repeatable, statement: 1), .sync)
        #expect(replay(&read, stale) == ["heal r"])
        var write = machine(query("w", .once, statement: 1), .sync)
        #expect(replay(&write, stale, .end) == [])
        #expect(replay(&write, .synced) == ["heal w"])
    }

    @Test func `A result that changed its shape is a stale statement; other unsupported features are not`() {
        var changed = machine(query("r", .repeatable, statement: 1), .sync)
        let reply = Machine.Reply.failure(ServerFailure(sqlState: "0A000", routine: "RevalidateCachedQuery"))
        #expect(replay(&changed, reply) == ["heal r"])
        var unsupported = machine(query("r", .repeatable, statement: 1), .sync)
        #expect(replay(&unsupported, .failure(ServerFailure(sqlState: "0A000"))) == ["fail r server"])
    }

    @Test func `Lost: reads go again, a write sent is of unknown outcome, a transaction is rolled back`() {
        var machine = machine(query("r", .repeatable), .sync, query("w", .once), .sync)
        #expect(lose(&machine, nil) == ["resend r", "fail w outcomeUnknown"])
        #expect(machine.isIdle)
        var transaction = self.machine(query("t", .transaction), .sync)
        #expect(lose(&transaction, nil) == ["fail t connectionLost"])
        var commit = self.machine(query("c", .commit), .sync)
        #expect(lose(&commit, ServerFailure(sqlState: "57P01", isFatal: true)) == ["fail c outcomeUnknown"])
    }

    @Test func `Lost between a write's answer and its Sync: nobody knows whether it committed`() {
        var before = machine(query("w", .once), .sync)
        _ = before.received(.answer(1))
        #expect(lose(&before, nil) == ["fail w outcomeUnknown"])
        var after = machine(query("w", .once), .sync)
        _ = replay(&after, .answer(1), .end)
        #expect(lose(&after, ServerFailure(sqlState: "57P01", isFatal: true)) == ["fail w outcomeUnknown"])
    }

    @Test func `Shut down in good order before a write completed: it took no effect`() {
        let shutdown = ServerFailure(sqlState: "57P01", isFatal: true)
        var orderly = machine(query("w", .once), .sync)
        #expect(replay(&orderly, .failure(shutdown)) == ["close"])
        #expect(lose(&orderly, shutdown) == ["fail w connectionLost"])
        var crash = machine(query("w", .once), .sync)
        #expect(lose(&crash, ServerFailure(sqlState: "57P02", isFatal: true)) == ["fail w outcomeUnknown"])
    }

    @Test func `Cancelling a read that others are before: dropped, and the server is left alone`() {
        var machine = machine(query("a", .repeatable), query("b", .repeatable), .sync)
        #expect(cancel(&machine, "b") == .abandon)
        #expect(!machine.isInterrupting)
        #expect(replay(&machine, .answer(1), .end, .answer(2), .end, .synced) == ["complete a 1"])
    }

    @Test func `Cancelling the read at the head stops it, and neighbours go again`() {
        var machine = machine(query("a", .repeatable), query("b", .repeatable), .sync)
        #expect(cancel(&machine, "a") == .abandonAndInterrupt)
        #expect(replay(&machine, cancelled, .end, .aborted, .end, .synced) == ["resend b alone"])
        #expect(!machine.isIdle, "the cancel request may still arrive")
        machine.interruptFinished()
        #expect(machine.isIdle)
    }

    @Test func `A cancel request that hits the neighbour does not fail it`() {
        var machine = machine(query("a", .repeatable), query("b", .repeatable), .sync)
        _ = machine.cancel("a")
        machine.interruptFinished()
        #expect(replay(&machine, .answer(1), .end, cancelled, .end, .synced) == ["resend b alone"])
        #expect(machine.isIdle)
    }

    @Test func `A cancelled write says what became of it`() {
        var stopped = machine(query("w", .once), .sync)
        #expect(cancel(&stopped, "w") == .interrupt)
        stopped.interruptFinished()
        #expect(replay(&stopped, cancelled, .end, .synced) == ["fail w cancelled"])
        #expect(stopped.isIdle)
        var late = machine(query("w", .once), .sync)
        _ = late.cancel("w")
        #expect(replay(&late, .answer(1), .end, .synced) == ["complete w 1"])
        #expect(!late.isIdle)
    }

    @Test func `A statement stopped that nobody cancelled ran out of time`() {
        var machine = machine(query("a", .repeatable), .sync)
        #expect(replay(&machine, cancelled) == ["fail a timedOut"])
    }

    @Test func `An abandoned read that comes to the head can be stopped`() {
        var machine = machine(query("a", .repeatable), query("b", .repeatable), .sync)
        _ = machine.cancel("b")
        #expect(!machine.headIsAbandoned)
        _ = replay(&machine, .answer(1), .end)
        #expect(machine.headIsAbandoned)
        let (once, twice) = (machine.interruptHead(), machine.interruptHead())
        #expect(once && !twice)
    }

    @Test func `A script fails as a whole, and a COPY is fed`() {
        var script = machine(.simple(.init(work: "s", fate: .once)))
        #expect(replay(&script, .answer(1), division, .end) == ["fail s server"])
        var copy = machine(.simple(.init(work: "c", fate: .once)))
        #expect(replay(&copy, .copyIn(0), .answer(5), .end) == ["feed c", "complete c 5"])
        #expect(copy.isIdle)
    }

    @Test func `A reply that nobody asked for closes the connection`() {
        var machine = Machine()
        #expect(replay(&machine, .answer(1)) == ["close"])
        var mistaken = self.machine(query("a", .repeatable), .sync)
        #expect(replay(&mistaken, .synced) == ["close"])
    }
}
