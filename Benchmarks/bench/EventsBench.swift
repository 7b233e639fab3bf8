import AsyncHTTPClient
import Events
import Foundation
import Identity
import Logging
import NIOPosix
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

/// What the event path carries, and how long an event takes from its write to its effect elsewhere.
enum EventsBench {
    static func run(seconds: Int) async throws {
        // Commits wait for the disk, as they do in earnest.
        let postgres = try await TestPostgres.start(settings: ["fsync": "on", "full_page_writes": "on"])
        let redis = try await TestRedis.start()
        let stage = try await EventsStage(conninfo: postgres.conninfo(), redisURL: redis.url)
        try await stage.prepare(readers: ["reader"])
        try await throughput(stage)
        // Its clients have ended, and do not begin again.
        let next = try await EventsStage(conninfo: postgres.conninfo(), redisURL: redis.url)
        try await latency(next, seconds: seconds)
        try await redis.stop()
        try await postgres.stop()
    }

    // MARK: Throughput

    /// A backlog is given positions and published, to one subscriber that counts, as fast as it goes.
    private static func throughput(_ stage: EventsStage) async throws {
        let count = 50_000
        let heard = Atomic(0)
        let done = AsyncStream<Void>.makeStream()
        let subscriber = RedisSubscriber(
            stage.redis, eventLoop: stage.loops.next(), channels: [Outbox.channel("source")], logger: stage.logger,
            onMessage: { _, _ in
                if heard.add(1, ordering: .relaxed).newValue == count { done.continuation.yield() }
            })
        var rates: [Double] = []
        try await stage.running([subscriber]) {
            for _ in 0..<3 {
                try await stage.write(count)
                heard.store(0, ordering: .relaxed)
                let (relay, services) = stage.relay("relay")
                let start = ContinuousClock.now
                try await stage.running(services + [relay]) {
                    for await _ in done.stream { break }
                }
                rates.append(Double(count) / ((.now - start) / .seconds(1)))
            }
        }
        let rate = rates.sorted()[rates.count / 2]
        report("relay: positions given and published", String(format: "%.0f events/s", rate), "5000", rate >= 5000)
        // What was told of is read: all of it is pulled from the ledger here, page by page.
        let start = ContinuousClock.now
        let total = try await stage.head()
        let applied = Atomic(0)
        let caughtUp = AsyncStream<Void>.makeStream()
        try await stage.running(
            stage.source("source") + [
                stage.reader { events in
                    if applied.add(events.count, ordering: .relaxed).newValue >= total { caughtUp.continuation.yield() }
                }
            ]
        ) {
            for await _ in caughtUp.stream { break }
        }
        let pulled = Double(total) / ((.now - start) / .seconds(1))
        print(String(format: "  consumer: pulled and applied, one INSERT each      %.0f events/s", pulled))
    }

    // MARK: Latency

    /// Writers at 500 events a second; from the beginning of the write to the commit of the effect.
    private static func latency(_ stage: EventsStage, seconds: Int) async throws {
        let perSecond = 500
        let count = perSecond * seconds
        let delays = Delays()
        let services: [any Service] = stage.source("source") + [stage.reader { delays.took(effect: $0) }]
        try await stage.running(services) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let clock = ContinuousClock()
                // The first second finds connections and plans.
                let start = clock.now + .seconds(1)
                for number in 0..<(count + perSecond) {
                    let due = start + .microseconds(1_000_000 / perSecond * (number - perSecond))
                    try await clock.sleep(until: due)
                    group.addTask {
                        if number >= perSecond { delays.begin(number) }
                        try await stage.write(number: number)
                    }
                }
                try await group.waitForAll()
            }
            try await eventually("all to arrive") { delays.sorted.count >= count }
        }
        let sorted = delays.sorted
        guard sorted.count == count else {
            return print("  publish to effect: MISSED, \(count - sorted.count) events of \(count) took no effect")
        }
        func milliseconds(_ share: Double) -> Double { sorted[Int(Double(count - 1) * share)] / .milliseconds(1) }
        report(
            "publish to effect at \(perSecond) events/s",
            String(
                format: "p50 %.1f ms, p99 %.1f ms, max %.1f ms", milliseconds(0.5), milliseconds(0.99), milliseconds(1)),
            "p99 50 ms", milliseconds(0.99) <= 50)
    }

    private static func report(_ what: String, _ figure: String, _ bar: String, _ isReached: Bool) {
        let name = what.padding(toLength: 50, withPad: " ", startingAt: 0)
        print("  \(name) \(figure)  (bar \(bar): \(isReached ? "reached" : "MISSED"))")
    }
}

/// From the beginning of a write to the commit of its effect.
private final class Delays: Sendable {
    private let begun = Mutex<[Int64: ContinuousClock.Instant]>([:])
    private let delays = Mutex<[Duration]>([])

    func begin(_ number: Int) { begun.withLock { $0[Int64(number)] = .now } }

    func took(effect events: [Event]) {
        let now = ContinuousClock.now
        for event in events {
            guard case .integer(let number)? = event.data["number"],
                let start = begun.withLock({ $0.removeValue(forKey: number) })
            else { continue }
            delays.withLock { $0.append(now - start) }
        }
    }

    var sorted: [Duration] { delays.withLock { $0.sorted() } }
}
