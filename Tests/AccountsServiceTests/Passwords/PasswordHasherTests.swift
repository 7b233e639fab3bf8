import Foundation
import NIOCore
import ServiceKit
import Testing

@testable import AccountsService

@Suite("Hashing beside everything else", .serialized)
struct PasswordHasherTests {
    /// Some tenths of a second.
    static let slow = Scrypt.Parameters(logN: 15, r: 8, p: 3)

    /// The threads of this process that run only when no others want to: SCHED_IDLE, 5 (`policy` is field 41 of stat, proc(5)).
    static func idleThreads() -> Set<String> {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return Set(tasks).filter { task in
            guard let stat = try? String(contentsOfFile: "/proc/self/task/\(task)/stat", encoding: .utf8),
                let afterName = stat.lastIndex(of: ")")
            else { return false }
            // After the name come fields 3 and up.
            let fields = stat[stat.index(after: afterName)...].split(separator: " ")
            return fields.count > 38 && fields[38] == "5"
        }
    }

    @Test("As many are computed at once as there are threads, and each gives way to all others")
    func threads() async throws {
        let before = Self.idleThreads()
        let hasher = try PasswordHashTests.hasher(Self.slow, threads: 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<9 { group.addTask { _ = try await hasher.hash("password1") } }
            try await TestKitPolling.until("three threads hash") { Self.idleThreads().subtracting(before).count >= 3 }
            try await group.waitForAll()
        }
    }

    @Test("And no more: with one thread they come one after another")
    func oneThread() async throws {
        let before = Self.idleThreads()
        let hasher = try PasswordHashTests.hasher(Self.slow, threads: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try await hasher.hash("password1") } }
            try await group.waitForAll()
        }
        // A thread that has hashed stays, and stays idle: all four were computed on the same.
        #expect(Self.idleThreads().subtracting(before).count == 1)
    }

    @Test("Beyond the queue's bound it is 503 with Retry-After, and afterwards there is room again")
    func bound() async throws {
        let hasher = try PasswordHashTests.hasher(Self.slow, threads: 1, queue: 2)
        let (refused, done) = (Locked<[Problem]>([]), Locked(0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            // One is computed and two wait: for the fourth there is no room.
            for _ in 0..<4 {
                group.addTask {
                    while refused.withLock({ $0.isEmpty }) {
                        do {
                            _ = try await hasher.hash("password1")
                            done.withLock { $0 += 1 }
                        } catch let problem as Problem {
                            refused.withLock { $0.append(problem) }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(refused.withLock { $0.allSatisfy { $0.code == .temporarilyUnavailable && ($0.retryAfter ?? 0) > 0 } })
        #expect(done.withLock { $0 } >= 3)
        for _ in 0..<4 { _ = try await hasher.hash("password1") }
    }

    @Test("While the queue is full other requests are answered, and each login in it is in the end")
    func others() async throws {
        var options = RunningAccounts.Options()
        options.work = Self.slow
        options.settings["PASSWORD_QUEUE"] = "8"
        try await RunningAccounts.with(options) { app in
            let person = try await app.register()
            let isOver = Locked(false)
            let statuses = Locked<[Int: Int]>([:])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<24 {
                    group.addTask {
                        while !isOver.withLock({ $0 }) {
                            let status = try await app.login(person).status
                            statuses.withLock { $0[status, default: 0] += 1 }
                            // Whoever is sent away comes back, not at once.
                            if status == 503 { try await Task.sleep(for: .milliseconds(50)) }
                        }
                    }
                }
                try await TestKitPolling.until("the queue is full") { statuses.withLock { $0[503, default: 0] > 0 } }
                var worst = Duration.zero
                for _ in 0..<40 {
                    let start = ContinuousClock.now
                    #expect(try await app.profile(person.token).status == 200)
                    #expect(try await app.post("/request-password", #"{"email":"a@b.co"}"#).status == 404)
                    #expect(try await app.patch("{}", token: person.token).status == 200)
                    worst = max(worst, ContinuousClock.now - start)
                }
                // A login takes its turn behind at least four others here: more than a second.
                #expect(worst < .milliseconds(1000), "\(worst)")
                isOver.withLock { $0 = true }
                try await group.waitForAll()
            }
            let counts = statuses.withLock { $0 }
            #expect(Set(counts.keys) == [200, 503] && counts[200, default: 0] > 0, "\(counts)")
        }
    }
}
