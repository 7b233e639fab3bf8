import NIOCore
import Redis
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@Suite struct RedisClientTests {
    @Test(arguments: ["plain", "with\0nul", "with\r\ncrlf", "%s%d%n%*", "", "ümläut 🦸", "$5\r\nhello\r\n", "*-1\r\n"])
    func keysAndValuesMayHoldAnyBytes(_ text: String) async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            let key = "bytes:" + text
            let value = [UInt8](text.utf8) + [0, 255, 13, 10]
            try await expectEqual(client.send(["SET", key, value]), .simple("OK"))
            try await expectEqual(client.send(["GET", key]), .bulk(ByteBuffer(bytes: value)))
            try await expectEqual(client.send(["STRLEN", key]), .integer(Int64(value.count)))
        }
    }

    @Test func aMegabyteAndMoreGoesBothWays() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            let value = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            _ = try await client.send(["SET", "large", value])
            try await expectEqual(client.send(["GET", "large"]), .bulk(ByteBuffer(bytes: value)))
            _ = try await client.send(["DEL", "large"])
        }
    }

    @Test func manyTasksOnOneConnectionEachGetTheirOwnAnswers() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        for round in 0..<200 {
                            let text = "\(task):\(round)"
                            try await expectEqual(client.send(["ECHO", text]).string, text)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func oneTasksCommandsRunInTheOrderTheyWereSent() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            let replies = try await client.eventLoop.flatSubmit {
                EventLoopFuture.whenAllSucceed(
                    (0..<1000).map { _ in client.sendOnLoop(["INCR", "order"]) }, on: client.eventLoop)
            }.get()
            #expect(replies == (1...1000).map { .integer($0) })
            _ = try await client.send(["DEL", "order"])
        }
    }

    @Test func anErrorReplyIsATypedErrorAndTheConnectionGoesOn() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            _ = try await client.send(["SET", "text", "x"])
            let runID = client.serverRunID
            let id = try await client.send(["CLIENT", "ID"])
            await expectFailure(.server(prefix: "ERR")) { try await client.send(["INCR", "text"]) }
            await expectFailure(.server(prefix: "WRONGTYPE")) { try await client.send(["LPUSH", "text", "1"]) }
            await expectFailure(.server(prefix: "ERR")) { try await client.send(["NONSENSE"]) }
            await expectFailure(.invalidCommand) { try await client.send([]) }
            try await expectEqual(client.send(["CLIENT", "ID"]), id)
            #expect(client.serverRunID == runID)
        }
    }

    @Test func scriptsGetKeysAndArgumentsAndAnswerNestedValues() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            let reply = try await client.eval(
                "return {KEYS[1], ARGV[1], 3, {false, redis.error_reply('BAD thing')}}", keys: ["k\0"],
                arguments: ["%s"])
            #expect(
                reply
                    == .array([
                        .bulk(ByteBuffer(string: "k\0")), .bulk(ByteBuffer(string: "%s")), .integer(3),
                        .array([.null, .error(RedisServerError(message: "BAD thing"))]),
                    ]))
        }
    }

    @Test func repliesNestedDeeperThanCanBeReadEndTheConnectionAndNothingElse() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            let nested = "local t = {1} for i = 1, 12 do t = {t} end return t"
            await expectFailure(.protocolViolation) { try await client.eval(nested) }
            try await eventually("it answers again") { try await client.send(["PING"]) == .simple("PONG") }
        }
    }

    @Test func authenticationAndDatabaseAreSetOnConnect() async throws {
        let server = try await TestRedis.start(options: ["--requirepass", "p@ss:word"])
        let address = "127.0.0.1:\(server.port)"
        try await withClient("redis://:p%40ss%3Aword@\(address)/3") { client in
            _ = try await client.send(["SET", "here", "yes"])
            _ = try await client.send(["ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all"])
            try await expectEqual(client.send(["CLIENT", "INFO"]).string?.contains("db=3"), true)
            try await expectEqual(client.send(["CLIENT", "INFO"]).string?.contains("name=test"), true)
        }
        try await withClient("redis://ann:secret@\(address)/3") { client in
            try await expectEqual(client.send(["GET", "here"]).string, "yes")
            try await expectEqual(client.send(["ACL", "WHOAMI"]).string, "ann")
        }
        try await withClient("redis://:wrong@\(address)", { $0.connectTimeout = .seconds(1) }) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
        }
        try await withClient("redis://\(address)", { $0.connectTimeout = .seconds(1) }) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
        }
        try await server.stop()
    }

    @Test func aCommandIsMadeForTheServerItGoesTo() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            let told = try await client.send(keyed: { ["ECHO", $0] }).string
            #expect(told?.utf8.count == 40)
            #expect(client.serverRunID == told)
            let future = try await client.eventLoop.flatSubmit { client.sendOnLoop(keyed: { ["ECHO", $0] }) }.get()
            #expect(future.string == told)
        }
        let client = RedisClient(try RedisConfiguration(url: server.url), eventLoop: loop, logger: quiet)
        #expect(client.serverRunID == nil)
    }

    @Test func beyondTheBoundCommandsAreRefusedAtOnceAndTheOthersAnswered() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url, { $0.maxInFlight = 100 }) { client in
            _ = try await client.send(["PING"])
            let results = try await client.eventLoop.flatSubmit {
                EventLoopFuture.whenAllComplete(
                    (0..<150).map { client.sendOnLoop(["ECHO", $0]) }, on: client.eventLoop)
            }.get()
            let answered = results.compactMap { try? $0.get().string }
            #expect(answered == (0..<100).map(String.init))
            let refused = results.suffix(50).compactMap { result in
                if case .failure(let error as RedisError) = result { error.code } else { nil }
            }
            #expect(refused == Array(repeating: .overloaded, count: 50))
            try await expectEqual(client.send(["PING"]), .simple("PONG"))
        }
    }

    @Test func aCancelledTaskReturnsAtOnceAndItsAnswerGoesToNobody() async throws {
        let server = try await TestRedis.start()
        try await withClient(server.url, { $0.commandTimeout = .seconds(60) }) { client in
            _ = try await client.send(["PING"])
            let waiting = Task { try await client.send(["BLPOP", "later", "0"]) }
            let behind = (0..<20).map { number in Task { try await client.send(["ECHO", number]).string } }
            try await eventually("it blocks") { try await server.cli("INFO", "clients").contains("blocked_clients:1") }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            // It did not wait for its answer.
            #expect(try await server.cli("INFO", "clients").contains("blocked_clients:1"))
            try await server.cli("LPUSH", "later", "answer")
            for (number, task) in behind.enumerated() {
                try await expectEqual(task.value, "\(number)")
            }
            let before = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.send(["PING"])
            }
            await #expect(throws: CancellationError.self) { try await before.value }
        }
        try await server.stop()
    }

    @Test func manyTasksCancelledInTheMiddleLeaveTheOthersTheirOwnAnswers() async throws {
        let server = try await TestRedis.shared()
        try await withClient(server.url) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    let task = Task {
                        for round in 0..<20 {
                            let text = "\(number):\(round)"
                            let reply = try await client.send(["ECHO", text]).string
                            #expect(reply == text)
                        }
                    }
                    if number.isMultiple(of: 3) { task.cancel() }
                    group.addTask {
                        do { try await task.value } catch is CancellationError { #expect(number.isMultiple(of: 3)) }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func commandsSentBeforeItRunsWaitForTheConnection() async throws {
        let server = try await TestRedis.shared()
        let client = RedisClient(try patient(server.url), eventLoop: loop, logger: quiet)
        let early = Task { try await client.send(["ECHO", "early"]) }
        let reply = try await running(client) { try await early.value }
        #expect(reply.string == "early")
        await expectFailure(.closed) { try await client.send(["PING"]) }
        await #expect(throws: RedisError(.closed, "run() was called before")) { try await client.run() }
    }

    @Test func withoutAServerCommandsWaitForTheFirstConnectionAndThenNoMore() async throws {
        let port = try freePort()
        // Before it runs, when the wait begins.
        let start = ContinuousClock.now
        try await withClient("redis://127.0.0.1:\(port)", { $0.connectTimeout = .seconds(1) }) { client in
            for _ in 0..<20 {
                await expectFailure(.unavailable) { try await client.send(["PING"]) }
            }
            #expect(ContinuousClock.now - start > .milliseconds(900))
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test func aGracefulShutdownAnswersWhatIsInFlight() async throws {
        let server = try await TestRedis.shared()
        var configuration = try patient(server.url)
        configuration.commandTimeout = .seconds(60)
        let client = RedisClient(configuration, eventLoop: loop, logger: quiet)
        let group = ServiceGroup(services: [client], logger: quiet)
        let running = Task { try await group.run() }
        _ = try await client.send(["PING"])
        let waiting = Task { try await client.send(["BLPOP", "shutdown", "0"]).array?.last?.string }
        try await eventually("it blocks") { try await server.cli("CLIENT", "LIST").contains("cmd=blpop") }
        await group.triggerGracefulShutdown()
        let refused = Journal<RedisError.Code?>()
        try await eventually("it takes nothing new") {
            // Not awaited: one that is still taken waits behind the BLPOP.
            Task { refused.add(await failure { try await client.send(["PING"]) }) }
            return refused.entries.contains(.closed)
        }
        try await server.cli("LPUSH", "shutdown", "answer")
        try await expectEqual(waiting.value, "answer")
        try await running.value
    }
}
