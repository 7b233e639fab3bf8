import Synchronization
import TestKit
import Testing

@Suite("Postgres breaks under load") struct PostgresFaultTests {
    private static let profile = "/api/v1/accounts/profile"

    /// The writes of one person, numbered, one after the other.
    private final class Ledger: Sendable {
        private struct State {
            var tried = 0
            var acknowledged = 0
        }
        private let state = Mutex(State())

        func next() -> Int {
            state.withLock { state in
                state.tried += 1
                return state.tried
            }
        }

        func acknowledge(_ number: Int) { state.withLock { $0.acknowledged = number } }

        /// What may be there now: the last that was acknowledged, or one tried after it whose answer was lost.
        var possible: ClosedRange<Int> { state.withLock { $0.acknowledged...$0.tried } }
    }

    private static func writes(_ stack: RunningStack, _ token: String, _ ledger: Ledger)
        -> @Sendable (Load) async throws -> Void
    {
        { load in
            let number = ledger.next()
            let answer = try await stack.client.ask(.PATCH, profile, token: token, #"{"last_name": "n\#(number)"}"#)
            load.note("write", answer, allowed: [200, 503])
            if answer.status == 200 { ledger.acknowledge(number) }
        }
    }

    private static func served(_ load: Load, _ when: String) async throws {
        load.reset()
        try await eventually(within: .seconds(30), "writes and reads served \(when)") {
            (load.statuses("write")[200] ?? 0) >= 20 && (load.statuses("read")[200] ?? 0) >= 20
        }
    }

    private static func refused(_ load: Load, _ when: String) async throws {
        load.reset()
        try await eventually(within: .seconds(30), "503 \(when)") {
            (load.statuses("write")[503] ?? 0) >= 3 && (load.statuses("read")[503] ?? 0) >= 3
        }
    }

    @Test func `503 meanwhile, no restart of ours, and no acknowledged write lost`() async throws {
        let stack = try await RunningStack.start()
        let postgres = stack.postgres
        var ledgers: [(token: String, ledger: Ledger)] = []
        for _ in 0..<3 { ledgers.append((try await stack.person().token, Ledger())) }
        let reader = try await stack.person().token

        let requests =
            ledgers.map { Self.writes(stack, $0.token, $0.ledger) } + [
                { load in
                    load.note(
                        "read", try await stack.client.ask(.GET, Self.profile, token: reader), allowed: [200, 503])
                }
            ]
        let load = try await Load.run(requests) { load in
            try await Self.served(load, "at first")
            try await postgres.stop()
            try await Self.refused(load, "while it is stopped")
            try await postgres.start()
            try await Self.served(load, "after a restart")
            try await postgres.kill9()
            try await Self.refused(load, "after a kill")
            try await postgres.start()
            try await Self.served(load, "after a recovery")
            postgres.freeze()
            try await Self.refused(load, "while it is frozen")
            postgres.thaw()
            try await Self.served(load, "after it")
            try await postgres.restart(.immediate)
            try await Self.served(load, "at last")
        }
        #expect(load.violations == [])
        for (token, ledger) in ledgers {
            let name = try await stack.client.ask(.GET, Self.profile, token: token).text("last_name") ?? ""
            let number = try #require(Int(name.dropFirst()), "\(name)")
            #expect(ledger.possible.contains(number), "\(number) is there, \(ledger.possible) may be")
        }
        #expect(stack.accounts.filter(\.isRunning).count == 1)
        try await stack.end()
    }
}
