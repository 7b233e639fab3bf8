import Foundation
import NIOHTTP1
import Synchronization
import TestKit
import Testing

@Suite("Several replicas of calls, none special") struct CallsReplicaTests {
    private static let calls = "/api/v1/call-requests"

    /// What was acknowledged: the number of each request, with the key under which it was asked for.
    private final class Ledger: Sendable {
        private let entries = Mutex<[Int: String]>([:])

        var ids: [Int] { entries.withLock { Array($0.keys) } }

        /// - Returns: whether the number was new.
        func add(_ id: Int, key: String) -> Bool { entries.withLock { $0.updateValue(key, forKey: id) } == nil }
    }

    private struct Pair: Sendable {
        let customer: Person
        let hero: Person
        let number: Int
    }

    private static func pairs(_ stack: RunningStack, _ count: Int) async throws -> [Pair] {
        let staff = try await stack.staff()
        let hero = try await stack.hero(acceptedBy: staff)
        let number = try #require(hero.hero)
        var pairs: [Pair] = []
        for _ in 0..<count { pairs.append(Pair(customer: try await stack.customer(), hero: hero, number: number)) }
        return pairs
    }

    /// Asks for a call and has it declined, so that the pair can go on. Each step is tried with its key until it is
    /// answered; `failures` are the statuses that may come before.
    private static func round(
        _ stack: RunningStack, _ pair: Pair, _ ledger: Ledger, failures: Set<Int>
    ) -> @Sendable (Load) async throws -> Void {
        let asks = #"{"hero_id": \#(pair.number), "message": "Help", "estimated_length": 15}"#
        @Sendable func step(
            _ load: Load, _ name: String, _ method: HTTPMethod, _ path: String, _ token: String, _ body: String
        ) async throws -> (Answer, String) {
            let key = UUID().uuidString
            while true {
                let answer = try await stack.client.ask(
                    method, path, token: token, body, headers: ["idempotency-key": key])
                load.note(name, answer, allowed: failures.union([200]))
                if answer.status == 200 || Task.isCancelled { return (answer, key) }
            }
        }
        return { load in
            let (asked, key) = try await step(load, "ask", .POST, "\(calls)/", pair.customer.token, asks)
            guard asked.status == 200, let id = asked.json["id"] as? Int else { return }
            if !ledger.add(id, key: key) { load.violate("request \(id) was acknowledged for two keys") }
            _ = try await step(
                load, "decline", .PATCH, "\(calls)/\(id)/decline", pair.hero.token, #"{"reason": "Not today"}"#)
        }
    }

    private static func reads(_ stack: RunningStack, _ person: Person) -> @Sendable (Load) async throws -> Void {
        { load in load.note("read", try await stack.client.ask(.GET, calls, token: person.token), allowed: [200]) }
    }

    private static func served(_ load: Load, _ when: String) async throws {
        load.reset()
        try await eventually(within: .seconds(30), "requests served \(when)") {
            (load.statuses("ask")[200] ?? 0) >= 10 && (load.statuses("read")[200] ?? 0) >= 20
        }
    }

    /// Every acknowledged request is there, and none that nobody was told of.
    private static func check(_ ledger: Ledger, _ stack: RunningStack, _ pairs: [Pair]) async throws {
        let rows = try await run([
            "psql", "--no-psqlrc", "-qAt", "--dbname=\(stack.postgres.uri(database: stack.database))", "-c",
            "SELECT id FROM calls.requests ORDER BY id",
        ])
        let stored = Set(rows.split(separator: "\n").compactMap { Int($0) })
        #expect(!ledger.ids.isEmpty)
        #expect(Set(ledger.ids).subtracting(stored) == [], "acknowledged and lost")
        // At most the one request for each pair that was under way at the end.
        #expect(stored.subtracting(ledger.ids).count <= pairs.count, "stored twice")
    }

    @Test func `a killed replica fails what was in flight on it, and loses nothing`() async throws {
        let stack = try await RunningStack.start([.calls: 3])
        let pairs = try await Self.pairs(stack, 4)
        let ledger = Ledger()
        var work = pairs.map { Self.round(stack, $0, ledger, failures: [502, 503, 504]) }
        work.append(Self.reads(stack, pairs[0].customer))
        work.append(Self.reads(stack, pairs[0].hero))
        let load = try await Load.run(work) { load in
            try await Self.served(load, "by three")
            load.reset()
            try await stack.replicas(of: .calls)[1].kill9()
            try await eventually(within: .seconds(30), "requests served by two") {
                (load.statuses("ask")[200] ?? 0) >= 20
            }
            // At most what each of the writers had in flight.
            let failed = load.statuses("ask").merging(load.statuses("decline")) { $0 + $1 }.filter { $0.key != 200 }
            #expect(failed.values.reduce(0, +) <= pairs.count, "\(failed)")
            try await stack.start(.calls)
            try await Self.served(load, "by three again")
        }
        #expect(load.violations == [])
        try await Self.check(ledger, stack, pairs)
        try await stack.end()
    }

    @Test func `stopping one, and restarting all one after the other, fails no request`() async throws {
        let stack = try await RunningStack.start([.calls: 3])
        let pairs = try await Self.pairs(stack, 4)
        let ledger = Ledger()
        var work = pairs.map { Self.round(stack, $0, ledger, failures: []) }
        work.append(Self.reads(stack, pairs[0].customer))
        let load = try await Load.run(work) { load in
            try await Self.served(load, "by three")
            for number in 0..<3 {
                #expect(try await stack.replicas(of: .calls)[number].terminate() == 0)
                try await Self.served(load, "by two")
                try await stack.start(.calls)
            }
            try await Self.served(load, "by three again")
        }
        #expect(load.violations == [])
        try await Self.check(ledger, stack, pairs)
        try await stack.end()
    }
}
