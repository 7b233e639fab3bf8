import TestKit
import Testing

@testable import Postgres

@Suite struct CancellationTests {
    /// Whether a statement with this mark runs on the server.
    private func runs(_ mark: String, _ client: PostgresClient) async throws -> Bool {
        try await !client.execute(
            """
            SELECT 1 FROM pg_stat_activity
            WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%' || \(mark) || '%'
            """
        ).isEmpty
    }

    private func cancel(
        _ mark: String, _ client: PostgresClient, _ work: @escaping @Sendable () async throws -> Void
    ) async throws -> PostgresError.Code? {
        let task = Task { try await work() }
        try await eventually("\(mark) on the server") { try await runs(mark, client) }
        task.cancel()
        let start = ContinuousClock.now
        let result = await code { try await task.value }
        #expect(ContinuousClock.now - start < .seconds(5))
        try await eventually("the end of \(mark)") { try await !runs(mark, client) }
        return result
    }

    @Test(arguments: Home.allCases) func `A cancelled write is stopped on the server and its connection is clean`(
        _ home: Home
    ) async throws {
        try await withClient(home) {
            $0.maxConnections = 2
        } _: { client in
            let pid = try await client.execute("SELECT pg_backend_pid()")[0].decode(Int32.self)
            #expect(
                try await cancel("mark_write", client) {
                    try await client.execute("SELECT pg_sleep(30) /* mark_write */")
                }
                    == .cancelled)
            // It was not thrown away, and what comes next is not hit.
            for _ in 0..<20 { try await client.execute("SELECT 1") }
            let alive = try await client.read("SELECT 1 FROM pg_stat_activity WHERE pid = \(pid)")
            #expect(!alive.isEmpty)
        }
    }

    @Test(arguments: Home.allCases) func `A cancelled read is stopped on the server and its neighbours are answered`(
        _ home: Home
    ) async throws {
        try await withClient(home) {
            $0.readConnections = 1
        } _: { client in
            let neighbours = Task {
                for number in 0..<200 {
                    try await client.expect("SELECT \(number)", number)
                }
            }
            let result = try await cancel("mark_read", client) {
                _ = try await client.read("SELECT pg_sleep(30) /* mark_read */")
            }
            #expect(result == .cancelled)
            try await neighbours.value
        }
    }

    @Test(arguments: Home.allCases) func `A cancelled transaction is rolled back`(_ home: Home) async throws {
        try await withClient(home) {
            $0.maxConnections = 2
        } _: { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            let result = try await cancel("mark_tx", client) {
                try await client.withTransaction { transaction in
                    try await transaction.execute("INSERT INTO t VALUES (1)")
                    try await transaction.execute("SELECT pg_sleep(30) /* mark_tx */")
                }
            }
            #expect(result == .cancelled)
            try await client.expect("SELECT count(*) FROM t", 0)
            let open = try await client.read(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")
            #expect(open.isEmpty)
        }
    }

    @Test(arguments: Home.allCases) func `One that waits in the queue is withdrawn, one cancelled before is never sent`(
        _ home: Home
    ) async throws {
        try await withClient(home) {
            $0.maxConnections = 1
        } _: { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            try await client.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                let waiting = Task { try await client.execute("INSERT INTO t VALUES (1)") }
                let transactionWaiting = Task {
                    try await client.withTransaction { try await $0.execute("INSERT INTO t VALUES (2)") }
                }
                waiting.cancel()
                transactionWaiting.cancel()
                #expect(await code { _ = try await waiting.value } == .cancelled)
                #expect(await code { _ = try await transactionWaiting.value } == .cancelled)
            }
            try await client.expect("SELECT count(*) FROM t", 0)
        }
    }

    @Test(arguments: Home.allCases) func `Thousands cancelled at any moment: nobody gets another's answer`(_ home: Home)
        async throws
    {
        try await withClient(home) {
            $0.maxConnections = 4
        } _: { client in
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<32 {
                    group.addTask {
                        for turn in 0..<40 {
                            let number = task * 1000 + turn
                            let work = Task {
                                let rows =
                                    turn % 2 == 0
                                    ? try await client.read("SELECT \(number), pg_sleep(0.0005)::text")
                                    : try await client.execute("SELECT \(number), pg_sleep(0.0005)::text")
                                return try rows[0].decode(column: 0, as: Int.self)
                            }
                            if turn % 3 == 0 {
                                await Task.yield()
                                work.cancel()
                            }
                            do {
                                let answer = try await work.value
                                #expect(answer == number)
                            } catch {
                                #expect((error as? PostgresError)?.code == .cancelled, "\(String(reflecting: error))")
                            }
                        }
                    }
                }
            }
            try await client.expect("SELECT 5", 5)
        }
    }

    @Test(arguments: Home.allCases) func `A statement over its time is stopped by the server`(_ home: Home) async throws
    {
        try await withClient(home) {
            // The server's alone: this side would wait for twenty seconds.
            $0.statementTimeout = .seconds(20)
            $0.sessionSettings["statement_timeout"] = "200"
        } _: { client in
            for shared in [true, false] {
                let error = await failure {
                    _ =
                        shared
                        ? try await client.read("SELECT pg_sleep(30)") : try await client.execute("SELECT pg_sleep(30)")
                }
                #expect(error?.code == .timedOut && error?.sqlState == "57014")
                #expect(error?.isUnavailable == true)
            }
        }
    }
}
