import AsyncHTTPClient
import Foundation
import Identity
import Logging
import NIOCore
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

@Suite("Hashing beside everything else", .serialized)
struct PasswordHasherTests {
    /// Some tenths of a second.
    static let slow = Scrypt.Parameters(logN: 15, r: 8, p: 3)

    /// The processes that this one has started to hash.
    static func hashers() -> Set<Int32> { children(of: getpid()) }

    private static func children(of parent: Int32) -> Set<Int32> {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return Set(
            processes.compactMap { Int32($0) }.filter { pid in
                // After the name come the state and the parent (proc(5)).
                guard let stat = stat(of: "\(pid)"), stat.count > 1, stat[1] == "\(parent)",
                    let arguments = try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)
                else { return false }
                return arguments == "accounts\0hash\0"
            })
    }

    /// What `/proc/PID/stat` has from its third field on, or that of a thread.
    private static func stat(of path: String) -> [Substring]? {
        guard let stat = try? String(contentsOfFile: "/proc/\(path)/stat", encoding: .utf8),
            let afterName = stat.lastIndex(of: ")")
        else { return nil }
        return stat[stat.index(after: afterName)...].split(separator: " ")
    }

    /// Whether a thread of a process runs after all others: by fields 19 and 41 of stat, of SCHED_BATCH (3) the nicest, or
    /// SCHED_IDLE (5), sched(7).
    private static func givesWay(_ pid: Int32) -> Bool {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return threads.contains { thread in
            guard let stat = stat(of: "\(pid)/task/\(thread)"), stat.count > 38 else { return false }
            return stat[38] == "5" || (stat[38] == "3" && stat[16] == "19")
        }
    }

    @Test("As many are computed at once as there are threads, and each gives way to all others")
    func processes() async throws {
        let before = Self.hashers()
        let hasher = try PasswordHashTests.hasher(Self.slow, threads: 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<9 { group.addTask { _ = try await hasher.hash("password1") } }
            try await TestKitPolling.until("three processes hash, after all others") {
                let hashing = Self.hashers().subtracting(before)
                return hashing.count == 3 && hashing.allSatisfy(Self.givesWay)
            }
            try await group.waitForAll()
        }
    }

    @Test("And no more: with one thread they come one after another, from the same process")
    func oneProcess() async throws {
        let before = Self.hashers()
        let hasher = try PasswordHashTests.hasher(Self.slow, threads: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try await hasher.hash("password1") } }
            try await group.waitForAll()
        }
        // One that has hashed stays for the next hash.
        #expect(Self.hashers().subtracting(before).count == 1)
    }

    @Test("A process that is killed is replaced, and nobody who waits for a hash notices")
    func killed() async throws {
        let before = Self.hashers()
        let hasher = try PasswordHashTests.hasher(Self.slow, threads: 2)
        let hash = try await hasher.hash("password1")
        for _ in 0..<3 {
            let old = Self.hashers().subtracting(before)
            async let right = hasher.verify("password1", against: hash)
            async let wrong = hasher.verify("password2", against: hash)
            // Whether they have begun or not.
            for pid in old { kill(pid, SIGKILL) }
            #expect(try await right)
            #expect(try await !wrong)
            #expect(Self.hashers().intersection(old).isEmpty)
        }
    }

    @Test("Without a process it is 503, and with other parameters than scrypt takes it is a fault")
    func unavailable() async throws {
        let hasher = PasswordHasher(
            secret: try SecretKey(RunningAccounts.secret), executable: "/nowhere", logger: Logger(label: "test"))
        await #expect { try await hasher.hash("password1") } throws: {
            ($0 as? Problem)?.code == .temporarilyUnavailable
        }
        let odd = try PasswordHashTests.hasher(.init(logN: 31, r: 8, p: 1))
        await #expect(throws: Scrypt.Failure.self) { try await odd.hash("password1") }
        let outsized = try PasswordHashTests.hasher(.init(logN: 300, r: 8, p: 1))
        await #expect(throws: Scrypt.Failure.self) { try await outsized.hash("password1") }
    }

    @Test("They end with accounts, however it ends", arguments: [SIGTERM, SIGKILL])
    func end(signal: Int32) async throws {
        let (postgres, redis) = (try await TestPostgres.shared(), try await TestRedis.shared())
        let folder = try await temporaryFolder("accounts").path
        let port = try freePort()
        let environment = [
            "DATABASE_URL": postgres.uri(database: try await RunningAccounts.database(postgres)),
            "REDIS_URL": redis.url, "SECRET_KEY": RunningAccounts.secret, "STACK_HOME": folder,
            "ACCOUNTS_PORT": "\(port)", "ACCOUNTS_METRICS_PORT": "0", "LISTEN_HOST": "127.0.0.1", "DRAIN_SECONDS": "0",
        ]
        let accounts = try await RunningProcess.start(
            "accounts", ["serve"], environment: environment, readyURL: "http://127.0.0.1:\(port)/health/ready")
        let path = "/api/v1/accounts/login"
        let claims = IdentitySeal(try SecretKey(RunningAccounts.secret)).sign(
            .anonymous, method: "POST", path: path, now: Int64(Date().timeIntervalSince1970))
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .POST
        request.headers = ["content-type": "application/json", Claims.headerName: claims]
        // Nobody's, so it is hashed for appearance.
        request.body = .bytes(ByteBuffer(string: #"{"email":"nobody@example.com","password":"password1"}"#))
        #expect(try await HTTPClient.shared.execute(request, timeout: .seconds(30)).status == .forbidden)
        let hashers = Self.children(of: accounts.pid)
        #expect(!hashers.isEmpty)
        kill(accounts.pid, signal)
        try await TestKitPolling.until("nobody left") {
            // A zombie has ended; whoever has inherited it may take its time.
            !accounts.isRunning && hashers.allSatisfy { [nil, "Z"].contains(Self.stat(of: "\($0)")?.first) }
        }
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
                let worst = try await measured(below: .milliseconds(1000)) { () async throws -> Duration in
                    var worst = Duration.zero
                    for _ in 0..<40 {
                        let start = ContinuousClock.now
                        #expect(try await app.profile(person.token).status == 200)
                        #expect(try await app.post("/request-password", #"{"email":"a@b.co"}"#).status == 404)
                        #expect(try await app.patch("{}", token: person.token).status == 200)
                        worst = max(worst, ContinuousClock.now - start)
                    }
                    return worst
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
