import Foundation
import NIOCore
import NIOEmbedded
import NIOPosix
import TestKit
import Testing

@testable import Postgres

/// What the thread that runs this is called.
private func nameOfThread() -> String {
    let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
    return name?.trimmingCharacters(in: .newlines) ?? "unknown"
}

extension Home {
    fileprivate func threadName() async throws -> String {
        guard let loop else { return "postgres" }
        return try await loop.submit { nameOfThread() }.get()
    }
}

@Suite("Tasks on the client's own thread") struct ExecutorTests {
    @Test("A task stays on the thread that has the connections, whatever it waits for", arguments: Home.allCases)
    func staysThere(_ home: Home) async throws {
        try await withClient(home) { client in
            try await client.execute("CREATE TABLE t (n int)")
            let names = try await Task(executorPreference: client.executor) {
                var names = [nameOfThread()]
                try await client.expect("SELECT 1::int", Int32(1))
                names.append(nameOfThread())
                try await client.execute("INSERT INTO t VALUES (1)")
                names.append(nameOfThread())
                try await client.withTransaction { transaction in
                    _ = try await transaction.execute("INSERT INTO t VALUES (2)")
                }
                names.append(nameOfThread())
                try await Task.sleep(for: .milliseconds(5))
                names.append(nameOfThread())
                return names
            }.value
            let name = try await home.threadName()
            #expect(names == Array(repeating: name, count: 5))
            #expect(nameOfThread() != name)
            try await client.expect("SELECT count(*) FROM t", Int64(2))
        }
    }

    @Test(
        "Reads, writes and transactions of many tasks there and elsewhere all have their own answers",
        arguments: Home.allCases)
    func many(_ home: Home) async throws {
        try await withClient(home) { client in
            try await client.execute("CREATE TABLE t (n bigint PRIMARY KEY)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<Int64(600) {
                    let work: @Sendable () async throws -> Void = {
                        for round in 0..<Int64(3) {
                            let found = try await client.value("SELECT \(number * 10 + round)", as: Int64.self)
                            guard found == number * 10 + round else { throw PostgresError(.decoding, "another's") }
                        }
                        if number % 3 == 0 {
                            try await client.execute("INSERT INTO t VALUES (\(number))")
                        } else if number % 3 == 1 {
                            try await client.withTransaction { transaction in
                                _ = try await transaction.execute("INSERT INTO t VALUES (\(number))")
                                _ = try await transaction.execute("INSERT INTO t VALUES (\(-number))")
                            }
                        }
                    }
                    if number % 2 == 0 {
                        group.addTask(executorPreference: client.executor) { try await work() }
                    } else {
                        group.addTask { try await work() }
                    }
                }
                try await group.waitForAll()
            }
            try await client.expect("SELECT count(*) FROM t", Int64(600))
        }
    }

    @Test("A cancelled task there is told so", arguments: Home.allCases)
    func cancelled(_ home: Home) async throws {
        try await withClient(home) { client in
            let task = Task(executorPreference: client.executor) {
                await code(of: { _ = try await client.read("SELECT pg_sleep(60)") })
            }
            try await eventually("it sleeps") {
                // On another connection than the one that sleeps.
                let rows = try await client.execute(
                    """
                    SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND wait_event = 'PgSleep'
                    """)
                return try #require(rows.first).decode(Int64.self) > 0
            }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    @Test(
        "When the client has ended, tasks go on elsewhere, and those that were under way come to an end",
        arguments: Home.allCases)
    func ended(_ home: Home) async throws {
        let (tasks, executor) = try await withClient(home) { client in
            let tasks = (0..<200).map { _ in
                Task(executorPreference: client.executor) { await readOn(client) }
            }
            try await client.expect("SELECT 1::int", Int32(1))
            return (tasks, client.executor)
        }
        for task in tasks { #expect(await task.value == .closed) }
        let late = await Task(executorPreference: executor) { nameOfThread() }.value
        #expect(try await late != home.threadName())
    }

    /// Reads until it is refused.
    private func readOn(_ client: PostgresClient) async -> PostgresError.Code {
        while true {
            if let code = await code(of: { _ = try await client.read("SELECT 1") }) { return code }
            await Task.yield()
        }
    }

    @Test("Tasks there that never wait leave others their turns", .timeLimit(.minutes(1)), arguments: Home.allCases)
    func restless(_ home: Home) async throws {
        try await withClient(home) { client in
            let restless = Task(executorPreference: client.executor) {
                while !Task.isCancelled { await Task.yield() }
            }
            for number in 0..<20 { try await client.expect("SELECT \(number)", number) }
            if let loop = home.loop { try await expectsToRead(loop) }
            restless.cancel()
            await restless.value
        }
    }

    /// What the loop has beside the client: a pipe in which there is something to read.
    private func expectsToRead(_ loop: any EventLoop) async throws {
        let read = loop.makePromise(of: Void.self)
        let pipe = Pipe()
        let channel = try await NIOPipeBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ReadHandler(read))
                }
            }
            .takingOwnershipOfDescriptor(input: dup(pipe.fileHandleForReading.fileDescriptor)).get()
        try pipe.fileHandleForWriting.write(contentsOf: [1])
        try await read.futureResult.get()
        try await channel.close()
    }

    private final class ReadHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let promise: EventLoopPromise<Void>

        init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { promise.succeed() }
    }

    @Test("On a loop that can't be told of other sockets than its own, they have a thread")
    func fallback() async throws {
        let server = try await TestPostgres.shared()
        let configuration = PostgresConfiguration(server.conninfo(), applicationName: "test")
        try await PostgresClient.with(configuration, on: NIOAsyncTestingEventLoop(), logger: quiet) { client in
            try await client.expect("SELECT 1::int", Int32(1))
            #expect(await Task(executorPreference: client.executor) { nameOfThread() }.value == "postgres")
        }
    }

    @Test("A task may use as much of the stack as on any other thread", arguments: Home.allCases)
    func stack(_ home: Home) async throws {
        @Sendable func depth(_ count: Int) -> Int {
            withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { memory in
                memory[0] = UInt8(truncatingIfNeeded: count)
                return count == 0 ? Int(memory[0]) : depth(count - 1) + 1
            }
        }
        try await withClient(home) { client in
            let reached = await Task(executorPreference: client.executor) { depth(200) }.value
            #expect(reached == 200)
        }
    }
}
