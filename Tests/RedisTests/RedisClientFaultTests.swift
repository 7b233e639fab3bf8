import NIOCore
import Redis
import Synchronization
import TestKit
import Testing

/// Tasks that read keys over and over and compare.
private final class Load: Sendable {
    let answers = Atomic(0)
    let timedOut = Atomic(0)
    let mismatches = Atomic(0)
    /// Milliseconds that the slowest timeout took.
    let longest = Atomic(0)
    let stopped = Atomic(false)

    func run(_ client: RedisClient, from first: Int) async {
        var key = first
        while !stopped.load(ordering: .relaxed) {
            key = (key + 7) % 200
            let start = ContinuousClock.now
            do {
                let reply = try await client.send(["GET", "key:\(key)"])
                answers.add(1, ordering: .relaxed)
                if reply.string != "value:\(key)" { mismatches.add(1, ordering: .relaxed) }
            } catch {
                if (error as? RedisError)?.code == .timedOut {
                    timedOut.add(1, ordering: .relaxed)
                    longest.max(Int((ContinuousClock.now - start) / .milliseconds(1)), ordering: .relaxed)
                }
                await Task.yield()
            }
        }
    }

    func answersCome() async throws {
        let before = answers.load(ordering: .relaxed)
        try await eventually("answers come") { answers.load(ordering: .relaxed) > before + 1000 }
    }
}

private final class Flag: Sendable {
    private let value = Atomic(true)

    var isSet: Bool { value.load(ordering: .relaxed) }

    @discardableResult
    func clear() -> Bool { value.exchange(false, ordering: .relaxed) }
}

/// Servers that stop, die, freeze or are none.
@Suite struct RedisClientFaultTests {
    @Test(arguments: ["stop", "kill -9"])
    func awayItFailsAtOnceAndBackItAnswersByItself(_ how: String) async throws {
        let server = try await TestRedis.start()
        try await withClient(server.url) { client in
            _ = try await client.send(["PING"])
            let firstRunID = try #require(client.serverRunID)
            if how == "stop" { try await server.stop() } else { try await server.kill9() }
            try await eventually("it knows") { await failure { try await client.send(["PING"]) } == .unavailable }
            #expect(client.serverRunID == nil)
            let start = ContinuousClock.now
            for _ in 0..<50 {
                await expectFailure(.unavailable) { try await client.send(["PING"]) }
            }
            // One timeout would be longer.
            #expect(ContinuousClock.now - start < .seconds(10))

            try await server.start()
            let back = ContinuousClock.now
            try await eventually("it answers again") { try await client.send(["PING"]) == .simple("PONG") }
            #expect(ContinuousClock.now - back < .seconds(5))
            let secondRunID = try #require(client.serverRunID)
            #expect(secondRunID != firstRunID)
            try await expectEqual(client.send(keyed: { ["ECHO", $0] }).string, secondRunID)
        }
        try await server.stop()
    }

    @Test func aFrozenServerTimesOutAndNoLateReplyEverAnswersAnotherCommand() async throws {
        let server = try await TestRedis.start()
        try await withClient(server.url, { $0.commandTimeout = .milliseconds(500) }) { client in
            let pairs = (0..<200).flatMap { ["key:\($0)", "value:\($0)"] as [any RedisArgument] }
            try await eventually("the keys are set") {
                try await client.send(RedisCommand(["MSET"] + pairs)) == .simple("OK")
            }
            let load = Load()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<32 { group.addTask { await load.run(client, from: task) } }
                let longest = try await measured(below: .seconds(5)) {
                    load.longest.store(0, ordering: .relaxed)
                    for _ in 0..<3 {
                        try await load.answersCome()
                        let before = load.timedOut.load(ordering: .relaxed)
                        server.freeze()
                        try await eventually("commands time out") { load.timedOut.load(ordering: .relaxed) > before }
                        server.thaw()
                    }
                    try await load.answersCome()
                    return .milliseconds(load.longest.load(ordering: .relaxed))
                }
                #expect(longest < .seconds(5))
                load.stopped.store(true, ordering: .relaxed)
                try await group.waitForAll()
            }
            #expect(load.mismatches.load(ordering: .relaxed) == 0)
        }
        try await server.stop()
    }

    @Test func anIdleClientNoticesAFrozenServerByItself() async throws {
        let server = try await TestRedis.start()
        try await withClient(
            server.url,
            {
                $0.pingInterval = .milliseconds(100)
                $0.commandTimeout = .milliseconds(300)
            }
        ) { client in
            try await eventually("it is connected") { client.serverRunID != nil }
            server.freeze()
            try await eventually("it knows without being used") { client.serverRunID == nil }
            server.thaw()
            try await eventually("it is back") { client.serverRunID != nil }
        }
        try await server.stop()
    }

    @Test func killedByTheServerItComesBack() async throws {
        let server = try await TestRedis.start()
        try await withClient(server.url) { client in
            let first = try await client.send(["CLIENT", "ID"]).integer ?? 0
            try await server.cli("CLIENT", "KILL", "TYPE", "normal")
            try await eventually("another connection answers") {
                (try await client.send(["CLIENT", "ID"]).integer ?? 0) > first
            }
        }
        try await server.stop()
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
    ])
    func aServerThatIsNoRedisNeverCountsAsConnected(_ greeting: String) async throws {
        let server = try await FakeServer.start { _ in greeting }
        try await withClient(server.url, { $0.connectTimeout = .seconds(1) }) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
            #expect(client.serverRunID == nil)
        }
        try await server.stop()
    }

    @Test(arguments: ["!?garbage\r\n", "$-5\r\n", ":x\r\n"])
    func garbageInTheMiddleEndsTheConnectionCleanly(_ garbage: String) async throws {
        let bad = Flag()
        let server = try await FakeServer.start { bytes in
            if FakeServer.isHandshake(bytes) { return FakeServer.handshake }
            return bad.isSet ? garbage : "+PONG\r\n"
        }
        try await withClient(server.url) { client in
            await expectFailure(.protocolViolation) { try await client.send(["PING"]) }
            bad.clear()
            try await eventually("the next connection works") { try await client.send(["PING"]) == .simple("PONG") }
        }
        try await server.stop()
    }

    @Test func anAnswerNobodyAskedForEndsTheConnection() async throws {
        let extra = Flag()
        let server = try await FakeServer.start { bytes in
            if FakeServer.isHandshake(bytes) { return FakeServer.handshake }
            return extra.clear() ? "+mine\r\n+whose?\r\n" : "+PONG\r\n"
        }
        try await withClient(server.url) { client in
            try await expectEqual(client.send(["GET", "a"]).string, "mine")
            // Nobody may get "whose?", neither on this connection nor on the next.
            try await eventually("the next connection works") {
                let reply = try await client.send(["GET", "b"]).string
                #expect(reply == "PONG")
                return true
            }
        }
        try await server.stop()
    }

    @Test func aServerThatAcceptsAndHangsUpIsNotAskedInATightLoop() async throws {
        let attempts = Journal<Int>()
        let server = try await FakeServer.start { _ in
            attempts.add(1)
            return nil
        }
        let start = ContinuousClock.now
        try await withClient(server.url, { $0.connectTimeout = .seconds(1) }) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
            try await eventually("tried again") { attempts.entries.count >= 2 }
        }
        // After the first few they are half a second apart, or more.
        let halves = Int((ContinuousClock.now - start) / .milliseconds(500))
        #expect(attempts.entries.count <= 6 + halves)
        try await server.stop()
    }

    @Test func aServerThatAcceptsAndSaysNothingIsGivenUpWithinTheConnectTimeout() async throws {
        let server = try await FakeServer.start { _ in "" }
        try await withClient(server.url, { $0.connectTimeout = .milliseconds(200) }) { client in
            let start = ContinuousClock.now
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
            #expect(ContinuousClock.now - start < .seconds(5))
        }
        try await server.stop()
    }
}
