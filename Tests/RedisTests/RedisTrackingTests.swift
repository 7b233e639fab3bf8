import NIOCore
import Redis
import Synchronization
import TestKit
import Testing

private final class Told: Sendable {
    private let keys = Mutex<Set<String>>([])

    func add(_ new: [ByteBuffer]) { keys.withLock { $0.formUnion(new.map { String(buffer: $0) }) } }
    func remove(_ key: String) -> Bool { keys.withLock { $0.remove(key) != nil } }
}

@Suite struct RedisTrackingTests {
    enum Event: Sendable, Equatable {
        case trusted(Bool)
        case changed(String)
        case flushed
    }

    private func tracking(
        _ server: TestRedis, _ journal: Journal<Event>, _ adjust: (inout RedisConfiguration) -> Void = { _ in }
    ) throws -> RedisTracking {
        var configuration = try patient(server.url, name: "test-tracking")
        configuration.pingInterval = .milliseconds(200)
        adjust(&configuration)
        return RedisTracking(
            configuration, eventLoop: loop, prefixes: ["token:", "other:"], logger: quiet,
            onInvalidate: { keys in
                guard let keys else { return journal.add(.flushed) }
                for key in keys { journal.add(.changed(String(buffer: key))) }
            },
            onTrusted: { journal.add(.trusted($0)) })
    }

    private func isTrusted(_ tracking: RedisTracking) async throws -> Bool {
        try await tracking.eventLoop.submit { tracking.isTrusted }.get()
    }

    @Test func everyChangeByAnotherClientIsTold() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        try await running(tracking(server, journal)) {
            try await journal.has(.trusted(true))
            try await server.cli("SET", "token:a", "1")
            try await journal.has(.changed("token:a"))
            try await server.cli("SET", "other:b", "1")
            try await journal.has(.changed("other:b"))
            try await server.cli("SET", "unwatched", "1")
            journal.clear()
            try await server.cli("DEL", "token:a")
            try await journal.has(.changed("token:a"))
            try await server.cli("SET", "token:c", "1", "PX", "500")
            try await eventually("the change and its expiry") {
                journal.entries.count { $0 == .changed("token:c") } >= 2
            }
            try await server.cli("FLUSHALL")
            try await journal.has(.flushed)
            #expect(!journal.entries.contains(.changed("unwatched")))
        }
        try await server.stop()
    }

    @Test(arguments: ["normal", "pubsub"])
    func whenEitherConnectionIsKilledItIsNotTrustedUntilBothAreBack(_ type: String) async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        let tracking = try tracking(server, journal)
        try await running(tracking) {
            try await journal.has(.trusted(true))
            for _ in 0..<3 {
                let taken = try await measured(below: .seconds(2)) {
                    journal.clear()
                    try await server.cli("CLIENT", "KILL", "TYPE", type)
                    let start = ContinuousClock.now
                    try await journal.has(.trusted(false))
                    let taken = ContinuousClock.now - start
                    try await journal.has(.trusted(true))
                    try await server.cli("SET", "token:\(type)", "1")
                    try await journal.has(.changed("token:\(type)"))
                    return taken
                }
                #expect(taken < .seconds(2))
            }
        }
        try await server.stop()
    }

    @Test func aFrozenServerIsNotTrustedAndAThawedOneIsAgain() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        // A machine that stands still for a moment must not cost it its trust once more.
        let tracking = try tracking(server, journal) { $0.commandTimeout = .seconds(1) }
        try await running(tracking) {
            try await journal.has(.trusted(true))
            server.freeze()
            let frozen = ContinuousClock.now
            try await journal.has(.trusted(false))
            #expect(ContinuousClock.now - frozen < .seconds(5))
            #expect(try await !isTrusted(tracking))
            await #expect(throws: RedisError(.unavailable)) {
                try await tracking.eventLoop.flatSubmit { tracking.fence() }.get()
            }
            journal.clear()
            server.thaw()
            try await journal.has(.trusted(true))
            try await server.cli("SET", "token:thawed", "1")
            try await journal.has(.changed("token:thawed"))
        }
        try await server.stop()
    }

    @Test func afterARestartChangesAreToldAgain() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        let tracking = try tracking(server, journal)
        try await running(tracking) {
            try await journal.has(.trusted(true))
            let runID = try await tracking.eventLoop.submit { tracking.serverRunID }.get()
            try await server.kill9()
            try await journal.has(.trusted(false))
            journal.clear()
            try await server.start()
            try await journal.has(.trusted(true))
            #expect(try await tracking.eventLoop.submit { tracking.serverRunID }.get() != runID)
            try await server.cli("SET", "token:new", "1")
            try await journal.has(.changed("token:new"))
        }
        try await server.stop()
    }

    @Test func afterAFenceEveryChangeAnsweredBeforeItHasBeenTold() async throws {
        let server = try await TestRedis.start()
        let told = Told()
        let tracking = RedisTracking(
            try patient(server.url), eventLoop: loop, prefixes: ["token:"], logger: quiet,
            onInvalidate: { told.add($0 ?? []) }, onTrusted: { _ in })
        try await running(tracking) {
            try await eventually("it is trusted") { try await isTrusted(tracking) }
            try await withClient(server.url) { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<8 {
                        group.addTask {
                            for round in 0..<500 {
                                let key = "token:\(task):\(round)"
                                _ = try await client.send(["SET", key, "x"])
                                // The SET's own message must not stand in for the DEL's.
                                try await tracking.eventLoop.flatSubmit { tracking.fence() }.get()
                                #expect(told.remove(key))
                                _ = try await client.send(["DEL", key])
                                try await tracking.eventLoop.flatSubmit { tracking.fence() }.get()
                                #expect(told.remove(key))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
        try await server.stop()
    }

    @Test func aFenceThatFailsWasPrecededByTheLossOfTrust() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        let tracking = try tracking(server, journal) { $0.commandTimeout = .milliseconds(300) }
        try await running(tracking) {
            try await journal.has(.trusted(true))
            server.freeze()
            let trustedWhenFailed = try await tracking.eventLoop.flatSubmit {
                tracking.fence().map { true }.flatMapErrorThrowing { _ in tracking.isTrusted }
            }.get()
            #expect(!trustedWhenFailed)
            server.thaw()
        }
        try await server.stop()
    }

    @Test func itsCommandConnectionAnswers() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        let tracking = try tracking(server, journal)
        try await running(tracking) {
            try await journal.has(.trusted(true))
            try await server.cli("SET", "token:k", "v")
            let value = try await tracking.eventLoop.flatSubmit { tracking.sendOnLoop(["GET", "token:k"]) }.get()
            #expect(value.string == "v")
            let runID = try await tracking.eventLoop.flatSubmit {
                tracking.sendOnLoop(keyed: { ["ECHO", $0] }).map { $0.string == tracking.serverRunID }
            }.get()
            #expect(runID)
        }
        try await server.stop()
    }
}
