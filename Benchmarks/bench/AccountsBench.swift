import AsyncHTTPClient
import Foundation
import Identity
import NIOCore
import Synchronization
import TestKit

/// `GET profile` while logins keep the queue for password hashing full, beside the same while nobody logs in: the real
/// process, with the real cost of a hash.
enum AccountsBench {
    /// How much longer the slowest hundredth may take.
    static let bar = 2.0
    /// Logins that may wait; those who come after them are sent away and come back, as `Retry-After` says.
    static let queue = 16
    /// Connections that ask for the profile.
    static let readers = 8
    /// Requests a second on each of them.
    static let rate = 50.0

    /// With as many connections as there are logins at once; the shared client has eight.
    private static let http = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private static let secret = UUID().uuidString + UUID().uuidString

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - seconds: of each measurement.
    ///   - rounds: turns of each; the median counts.
    static func run(seconds: Double, rounds: Int) async throws {
        print(
            "GET profile, \(readers) connections of \(Int(rate))/s, while logins keep \(queue) waiting for a hash; in ms"
        )
        // Giving way is another thing within a group than between groups.
        for setting in Autogroup.settings {
            try await Autogroup.with(setting) {
                print("started with kernel.sched_autogroup_enabled = \(setting):")
                try await measure(seconds: seconds, rounds: rounds)
            }
        }
    }

    private static func measure(seconds: Double, rounds: Int) async throws {
        let postgres = try await TestPostgres.start(settings: ["fsync": "on"])
        let redis = try await TestRedis.start()
        let port = try freePort()
        let folder = try await temporaryFolder("accounts").path
        let environment = [
            "DATABASE_URL": postgres.uri(database: try await postgres.database()), "REDIS_URL": redis.url,
            "SECRET_KEY": secret, "STACK_HOME": folder, "ACCOUNTS_PORT": "\(port)", "ACCOUNTS_METRICS_PORT": "0",
            "LISTEN_HOST": "127.0.0.1", "PASSWORD_QUEUE": "\(queue)", "DRAIN_SECONDS": "0",
        ]
        try await RunningProcess.run("accounts", ["migrate"], environment: environment)
        let accounts = try await RunningProcess.start(
            "accounts", ["serve"], environment: environment, readyURL: "http://127.0.0.1:\(port)/health/ready")
        let user = try await register(port)
        _ = try await read(port, user, seconds: 1)
        try await compare(port, user, seconds: seconds, rounds: rounds)
        try await accounts.terminate()
        try await redis.stop()
        try await postgres.stop()
    }

    private static func compare(_ port: Int, _ user: Claims, seconds: Double, rounds: Int) async throws {
        var idle: [Latencies] = []
        var saturated: [Latencies] = []
        for round in 1...rounds {
            idle.append(try await read(port, user, seconds: seconds))
            let logins = Logins(port: port)
            let latencies = try await logins.whileSaturated { try await read(port, user, seconds: seconds) }
            saturated.append(latencies)
            print("  round \(round): idle \(idle[round - 1]), saturated \(latencies), \(logins.summary)")
        }
        let ratio = saturated.map(\.p99).median / idle.map(\.p99).median
        print("idle:      p50 \(ms(idle.map(\.p50).median))  p99 \(ms(idle.map(\.p99).median))")
        print("saturated: p50 \(ms(saturated.map(\.p50).median))  p99 \(ms(saturated.map(\.p99).median))")
        print("ratio of p99 \(String(format: "%.2f", ratio)) (at most \(bar): \(ratio <= bar ? "reached" : "MISSED"))")
    }

    // MARK: Asking

    private static func register(_ port: Int) async throws -> Claims {
        let body = """
            {"first_name":"Grace","last_name":"Hopper","email":"grace@example.com","password":"password1"}
            """
        let answer = try await post("/api/v1/accounts/register", body, port)
        guard answer.status == 201,
            let id = answer.body.firstMatch(of: /"id":"([0-9a-f-]{36})"/).flatMap({ UUID(uuidString: String($0.1)) })
        else { throw Failure(description: "register answered \(answer)") }
        return .user(.init(id: id, flags: [], tokenID: 1))
    }

    /// One request as the gateway would send it.
    static func post(
        _ path: String, _ body: String, _ port: Int
    ) async throws -> (status: Int, retryAfter: Double?, body: String) {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(
            name: Claims.headerName,
            value: IdentitySeal(try SecretKey(secret)).sign(
                .anonymous, method: "POST", path: path, now: Int64(Date().timeIntervalSince1970)))
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await http.execute(request, timeout: .seconds(120))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        return (Int(response.status.code), response.headers.first(name: "retry-after").flatMap { Double($0) }, text)
    }

    /// Asks for the profile at a steady rate, counted from when each request was due: what waits behind a slow one
    /// counts as slow too. Each connection has a thread that does nothing else.
    private static func read(_ port: Int, _ user: Claims, seconds: Double) async throws -> Latencies {
        try await withThrowingTaskGroup(of: [Double].self) { group in
            for reader in 0..<readers {
                group.addTask {
                    try await withCheckedThrowingContinuation { continuation in
                        Thread.detachNewThread {
                            continuation.resume(
                                with: Result {
                                    try ProfileReader(port: port, user: user, secret: secret).run(
                                        rate: rate, seconds: seconds, offset: Double(reader) / Double(readers))
                                })
                        }
                    }
                }
            }
            return Latencies(try await group.reduce(into: []) { $0 += $1 })
        }
    }

    static func ms(_ seconds: Double) -> String { String(format: "%.2f", seconds * 1000) }
}

/// How long requests took, in seconds.
struct Latencies: CustomStringConvertible {
    let p50: Double
    let p99: Double

    init(_ times: [Double]) {
        let sorted = times.sorted()
        p50 = sorted.isEmpty ? .infinity : sorted[sorted.count / 2]
        p99 = sorted.isEmpty ? .infinity : sorted[min(sorted.count * 99 / 100, sorted.count - 1)]
    }

    var description: String { "p50 \(AccountsBench.ms(p50)) p99 \(AccountsBench.ms(p99))" }
}

/// Enough people who log in that the queue is always full.
private final class Logins: Sendable {
    private let port: Int
    private let isOver = Mutex(false)
    private let statuses = Mutex<[Int: Int]>([:])
    private let started = ContinuousClock.now

    init(port: Int) { self.port = port }

    /// Runs `body` once somebody has been sent away, and waits until nobody waits any more.
    func whileSaturated<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<(AccountsBench.queue + ProcessInfo.processInfo.activeProcessorCount + 4) {
                group.addTask { try await self.logInAgainAndAgain() }
            }
            try await eventually(within: .seconds(30), "a full queue") {
                self.statuses.withLock { $0[503, default: 0] > 0 }
            }
            let result = try await body()
            isOver.withLock { $0 = true }
            try await group.waitForAll()
            return result
        }
    }

    private func logInAgainAndAgain() async throws {
        while !isOver.withLock({ $0 }) {
            let answer = try await AccountsBench.post(
                "/api/v1/accounts/login", #"{"email":"grace@example.com","password":"password1"}"#, port)
            guard [200, 503].contains(answer.status) else {
                throw AccountsBench.Failure(description: "login answered \(answer)")
            }
            statuses.withLock { $0[answer.status, default: 0] += 1 }
            // As it was asked to.
            if let wait = answer.retryAfter { try await Task.sleep(for: .seconds(wait)) }
        }
    }

    var summary: String {
        let counts = statuses.withLock { $0 }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let rate = String(format: "%.1f", Double(counts[200, default: 0]) / seconds)
        return "\(rate) logins/s, \(counts[503, default: 0]) sent away"
    }
}
