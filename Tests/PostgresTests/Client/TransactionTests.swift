import Synchronization
import TestKit
import Testing

@testable import Postgres

@Suite struct TransactionTests {
    private struct Refused: Error {}

    private func withTable<Result: Sendable>(
        _ home: Home, configure: (inout PostgresConfiguration) -> Void = { $0.maxConnections = 4 },
        _ body: (PostgresClient) async throws -> Result
    ) async throws -> Result {
        try await withClient(home, configure: configure) { client in
            try await client.execute("CREATE TABLE t (n bigint PRIMARY KEY, balance bigint NOT NULL DEFAULT 0)")
            return try await body(client)
        }
    }

    @Test(arguments: Home.allCases) func `It commits when its body returns and rolls back when it throws`(_ home: Home)
        async throws
    {
        try await withTable(home) { client in
            try await client.withTransaction { try await $0.execute("INSERT INTO t VALUES (\(1))") }
            await #expect(throws: Refused.self) {
                try await client.withTransaction { transaction in
                    try await transaction.execute("INSERT INTO t VALUES (\(2))")
                    throw Refused()
                }
            }
            #expect(try await client.withTransaction { _ in 7 } == 7)
            try await client.expect("SELECT count(*) FROM t", 1)
        }
    }

    @Test(arguments: Home.allCases) func `COMMIT answered by ROLLBACK is an error`(_ home: Home) async throws {
        try await withTable(home) { client in
            let error = await failure {
                try await client.withTransaction { transaction in
                    try await transaction.execute("INSERT INTO t VALUES (\(1))")
                    _ = try? await transaction.execute("SELECT 1 / \(0)")
                }
            }
            #expect(error?.code == .transactionAborted)
            #expect((error?.cause as? PostgresError)?.sqlState == "22012")
            try await client.expect("SELECT count(*) FROM t", 0)
        }
    }

    @Test(arguments: Home.allCases) func `After a failure the rest of the transaction is refused`(_ home: Home)
        async throws
    {
        try await withTable(home) { client in
            let error = await failure {
                try await client.withTransaction { transaction in
                    _ = try? await transaction.execute("SELECT 1 / \(0)")
                    try await transaction.execute("SELECT 1")
                }
            }
            #expect(error?.code == .transactionAborted)
        }
    }

    @Test(arguments: Home.allCases) func `Serialization failures and deadlocks are tried again, bounded, others not`(
        _ home: Home
    ) async throws {
        try await withTable(home) { client in
            for (state, runs) in [("40001", 8), ("40P01", 8), ("23505", 1), ("55P03", 1)] {
                let count = Mutex(0)
                let error = await failure {
                    try await client.withTransaction { transaction in
                        count.withLock { $0 += 1 }
                        try await transaction.execute(
                            "DO \(unsafeRaw: "$$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '\(state)'; END $$")")
                    }
                }
                #expect(error?.sqlState == state)
                #expect(count.withLock { $0 } == runs, "\(state)")
            }
        }
    }

    @Test(arguments: Home.allCases) func `Sixteen that add to the same row in serializable isolation all succeed`(
        _ home: Home
    ) async throws {
        try await withTable(home) {
            $0.maxConnections = 4
            $0.transactionAttempts = 100
        } _: { client in
            try await client.execute("INSERT INTO t VALUES (1, 0)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<4 {
                            try await client.withTransaction(isolation: .serializable) { transaction in
                                let balance = try await transaction.execute("SELECT balance FROM t WHERE n = 1")[0]
                                    .decode(Int.self)
                                try await transaction.execute("UPDATE t SET balance = \(balance + 1) WHERE n = 1")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await client.expect("SELECT balance FROM t", 16)
        }
    }

    @Test(arguments: Home.allCases) func `A transaction used after its end is closed`(_ home: Home) async throws {
        try await withTable(home) { client in
            let kept = try await client.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                return transaction
            }
            #expect(await code { try await kept.execute("SELECT 1") } == .closed)
        }
    }

    @Test(arguments: Home.allCases) func `A lone BEGIN leaves no transaction behind for the next`(_ home: Home)
        async throws
    {
        try await withClient(home) {
            $0.maxConnections = 1
        } _: { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            try await client.execute("BEGIN")
            try await client.execute("INSERT INTO t VALUES (1)")
            try await client.expect("SELECT count(*) FROM t", 1)
        }
    }

    @Test(arguments: Home.allCases) func `Statements at once in one transaction take their turns`(_ home: Home)
        async throws
    {
        try await withTable(home) { client in
            try await client.withTransaction { transaction in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask { try await transaction.execute("INSERT INTO t VALUES (\(number))") }
                    }
                    try await group.waitForAll()
                }
            }
            try await client.expect("SELECT count(*) FROM t", 20)
        }
    }

    @Test(arguments: Home.allCases) func `Terminated inside: connectionLost, nothing took effect, and the next works`(
        _ home: Home
    ) async throws {
        try await withTable(home) { client in
            let error = await failure {
                try await client.withTransaction { transaction in
                    try await transaction.execute("INSERT INTO t VALUES (1)")
                    let pid = try await transaction.execute("SELECT pg_backend_pid()")[0].decode(Int32.self)
                    try await client.execute("SELECT pg_terminate_backend(\(pid))")
                    try await eventually("the end of the server process") {
                        try await client.read("SELECT 1 FROM pg_stat_activity WHERE pid = \(pid)").isEmpty
                    }
                    try await transaction.execute("INSERT INTO t VALUES (2)")
                }
            }
            #expect(error?.code == .connectionLost)
            #expect(error?.isUnavailable == true)
            try await client.expect("SELECT count(*) FROM t", 0)
        }
    }
}
