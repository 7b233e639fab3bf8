import NIOCore
import Redis
import Synchronization
import TestKit
import Testing

@Suite struct RedisSubscriberTests {
    enum Event: Sendable, Equatable {
        case up, down
        case message(String, String)
    }

    private func subscriber(
        _ server: TestRedis, _ journal: Journal<Event>, channels: [String] = ["one", "two"],
        _ adjust: (inout RedisConfiguration) -> Void = { _ in }
    ) throws -> RedisSubscriber {
        var configuration = try patient(server.url, name: "test-subscriber")
        adjust(&configuration)
        return RedisSubscriber(
            configuration, eventLoop: loop, channels: channels, logger: quiet,
            onMessage: { journal.add(.message($0, String(buffer: $1))) }, onUp: { journal.add(.up) },
            onDown: { journal.add(.down) })
    }

    @Test func messagesArriveInOrderOnceItIsUp() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        try await running(subscriber(server, journal)) {
            try await journal.has(.up)
            try await withClient(server.url) { client in
                try await expectEqual(client.publish("a\0\r\n%s", to: "one"), 1)
                for number in 0..<1000 { try await client.publish("\(number)", to: "two") }
                try await expectEqual(client.publish("x", to: "three"), 0)
            }
            try await journal.has(.message("two", "999"))
            #expect(
                journal.entries == [.up, .message("one", "a\0\r\n%s")] + (0..<1000).map { .message("two", "\($0)") })
        }
        try await server.stop()
    }

    @Test(arguments: ["kill", "restart", "kill -9"])
    func itSubscribesAgain(_ how: String) async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        try await running(subscriber(server, journal)) {
            try await journal.has(.up)
            switch how {
            case "kill": try await server.cli("CLIENT", "KILL", "TYPE", "pubsub")
            case "restart": try await server.restart()
            default:
                try await server.kill9()
                try await journal.has(.down)
                try await server.start()
            }
            try await eventually("down, then up again") { journal.entries == [.up, .down, .up] }
            try await server.cli("PUBLISH", "one", "again")
            try await journal.has(.message("one", "again"))
        }
        try await server.stop()
    }

    @Test func aFrozenServerIsNoticedWithoutAnyMessage() async throws {
        let server = try await TestRedis.start()
        let journal = Journal<Event>()
        let subscriber = try subscriber(server, journal) {
            $0.pingInterval = .milliseconds(100)
            // A machine that stands still for a moment must not end the connection once more.
            $0.commandTimeout = .seconds(2)
        }
        try await running(subscriber) {
            try await journal.has(.up)
            server.freeze()
            try await journal.has(.down)
            server.thaw()
            try await eventually("up again") { journal.entries == [.up, .down, .up] }
        }
        try await server.stop()
    }
}
