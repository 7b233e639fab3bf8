import Foundation
import TestKit
import Testing

@Suite("Our processes end under load") struct ProcessFaultTests {
    private static let profile = "/api/v1/accounts/profile"

    private static func reads(_ stack: RunningStack, _ token: String, allowed: Set<Int>)
        -> @Sendable (Load) async throws -> Void
    {
        { load in load.note("read", try await stack.client.ask(.GET, profile, token: token), allowed: allowed) }
    }

    private static func served(_ load: Load, _ when: String) async throws {
        load.reset()
        try await eventually(within: .seconds(20), "profiles served \(when)") {
            (load.statuses("read")[200] ?? 0) >= 30
        }
    }

    @Test func `a killed accounts is answered for by the gateway, and served again when it is back`() async throws {
        let stack = try await RunningStack.start()
        let person = try await stack.person()
        let reads = Self.reads(stack, person.token, allowed: [200, 502, 503, 504])
        let load = try await Load.run([reads, reads, reads]) { load in
            try await Self.served(load, "at first")
            try await stack.accounts[0].kill9()
            load.reset()
            try await eventually("answers of the gateway's own") {
                load.statuses("read").filter { $0.key >= 500 }.values.reduce(0, +) >= 5
            }
            try await stack.start(.accounts)
            try await Self.served(load, "after a kill")
        }
        #expect(load.violations == [])
        try await stack.replicas(of: .heroes)[0].kill9()
        let problem = try await stack.client.ask(.GET, "/api/v1/heroes/", token: person.token)
        #expect([502, 503].contains(problem.status))
        #expect(problem.headers.first(name: "content-type") == "application/problem+json")
        #expect(problem.text("detail")?.isEmpty == false)
        try await stack.end()
    }

    @Test func `with two replicas no client sees that one is told to end`() async throws {
        let stack = try await RunningStack.start([.accounts: 2])
        let person = try await stack.person()
        let reads = Self.reads(stack, person.token, allowed: [200])
        let anonymous: @Sendable (Load) async throws -> Void = { load in
            load.note("write", try await stack.client.ask(.POST, "/api/v1/accounts/login", "{}"), allowed: [400])
        }
        let load = try await Load.run([reads, reads, anonymous]) { load in
            try await Self.served(load, "at first")
            #expect(try await stack.accounts[0].terminate() == 0)
            try await Self.served(load, "by the other")
            try await stack.start(.accounts)
            try await Self.served(load, "by both")
        }
        #expect(load.violations == [])
        try await stack.end()
    }

    @Test func `the gateway finishes what is in flight when it is told to end`() async throws {
        let stack = try await RunningStack.start()
        let person = try await stack.person()
        // A login takes longer than the signal.
        async let login = stack.login(person)
        try await eventually("a login in flight, or over already") {
            let metrics = try await stack.metrics(of: .accounts)
            return metrics.contains("password_hashes_in_hand 1\n")
                || metrics.contains(#"route="/api/v1/accounts/login",status="200""#)
        }
        #expect(try await stack.gateway.terminate() == 0)
        #expect(try await login.count == 32)
        try await stack.end()
    }

    @Test func `idle processes are small`() async throws {
        let stack = try await RunningStack.start()
        _ = try await stack.person()
        // The bar of 40 MB is for release builds; a debug build of the same code is a little larger.
        for process in [stack.gateway] + stack.accounts {
            #expect(try #require(process.residentMemory) < 120 << 20, "\(process.name)")
        }
        try await stack.end()
    }

    /// Where sched(7), "The autogroup feature", is in the kernel and may be used.
    @Test(.enabled(if: FileManager.default.isWritableFile(atPath: "/proc/self/autogroup")))
    func
        `where Linux shares the cores among sessions, replicas of calls weigh less than backends of Postgres, hashes least`()
        async throws
    {
        let stack = try await RunningStack.start([.calls: 2])
        // Several passwords at once: as many hash processes as there are cores.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try await stack.person() } }
            try await group.waitForAll()
        }
        for replica in stack.replicas(of: .calls) {
            try await eventually("a replica of calls gives way") { Self.nice(of: replica.pid) == 3 }
        }
        let hashes = Self.children(of: try #require(stack.accounts.first).pid)
        #expect(!hashes.isEmpty)
        for hash in hashes {
            try await eventually("a hash process gives way") { Self.nice(of: hash) == 10 }
        }
        try await stack.end()
    }

    /// The last word of `/autogroup-25 nice 0`.
    private static func nice(of process: Int32) -> Int? {
        (try? String(contentsOfFile: "/proc/\(process)/autogroup", encoding: .utf8))?
            .split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) }
    }

    private static func children(of process: Int32) -> [Int32] {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        return threads.flatMap { thread in
            ((try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/children", encoding: .utf8)) ?? "")
                .split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
        }
    }
}
