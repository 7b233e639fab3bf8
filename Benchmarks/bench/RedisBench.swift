import Foundation
import Logging
import NIOPosix
import Redis
import TestKit

/// GET with 64 tasks on one connection of ours beside `redis-benchmark -t get -c 50`, on one server, in turns.
enum RedisBench {
    static let tasks = 64

    /// - Parameter url: of a Redis that may be written to; nil starts one.
    static func run(url: String?, seconds: Double, rounds: Int) async throws {
        let server = url == nil ? try await TestRedis.start() : nil
        let configuration = try RedisConfiguration(url: url ?? server?.url ?? "", name: "bench")
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = RedisClient(configuration, eventLoop: loops.next(), logger: Logger(label: "bench"))
        let running = Task { try await client.run() }
        try await connected(client)
        // redis-benchmark gets 3 bytes under this key; so do we.
        _ = try await client.send(["SET", "key:__rand_int__", "xxx"])

        var ours: [Double] = []
        var theirs: [Double] = []
        for round in 1...rounds {
            theirs.append(try await yardstick(configuration, requests: Int(100_000 * seconds)))
            ours.append(try await measure(client, seconds: seconds))
            print("  round \(round): redis-benchmark \(rate(theirs[round - 1]))/s, ours \(rate(ours[round - 1]))/s")
        }
        let ratio = ours.median / theirs.median
        print("Redis GET, 64 tasks on one connection: \(rate(ours.median))/s")
        print("redis-benchmark -t get -c 50:          \(rate(theirs.median))/s")
        print("ratio \(String(format: "%.2f", ratio)) (to reach: 1.50)\(ratio < 1.5 ? "  MISSED" : "")")
        running.cancel()
        try await running.value
        try await loops.shutdownGracefully()
        try await server?.stop()
    }

    private static func connected(_ client: RedisClient) async throws {
        try await eventually("Redis") { (try? await client.send(["PING"])) != nil }
    }

    /// GETs answered in a second.
    private static func measure(_ client: RedisClient, seconds: Double) async throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let end = start + .seconds(seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var count = 0
                    while clock.now < end {
                        for _ in 0..<16 {
                            guard case .bulk(let bytes) = try await client.send(["GET", "key:__rand_int__"]),
                                bytes.readableBytes == 3
                            else { throw RedisError(.protocolViolation, "another value") }
                        }
                        count += 16
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        let elapsed = (clock.now - start) / .seconds(1)
        return Double(count) / elapsed
    }

    /// What redis-benchmark measures: its CSV line is `"GET","<requests a second>",…`.
    private static func yardstick(_ configuration: RedisConfiguration, requests: Int) async throws -> Double {
        let output = try await TestKit.run([
            "redis-benchmark", "-h", configuration.host, "-p", "\(configuration.port)", "-t", "get", "-c", "50", "-n",
            "\(requests)", "--csv",
        ])
        for line in output.split(separator: "\n") where line.hasPrefix("\"GET\"") {
            let fields = line.split(separator: ",")
            if fields.count > 1, let rate = Double(fields[1].filter { $0 != "\"" }) { return rate }
        }
        throw RedisError(.unavailable, "redis-benchmark printed: \(output)")
    }

    private static func rate(_ value: Double) -> String { String(Int(value.rounded())) }
}
