import TestKit
import Testing

@testable import Postgres

@Suite struct PipelineTests {
    @Test(arguments: Home.allCases) func `One failing read in a batch does not fail its neighbours`(_ home: Home)
        async throws
    {
        try await withClient(home) {
            $0.readConnections = 1
        } _: { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        for turn in 0..<30 {
                            if (task + turn) % 7 == 0 {
                                let error = await failure { _ = try await client.read("SELECT 1 / \(0)") }
                                #expect(error?.sqlState == "22012")
                            } else {
                                let number = task * 1000 + turn
                                try await client.expect("SELECT \(number)", number)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: Home.allCases) func `Statements that can't be parsed take nobody with them`(_ home: Home)
        async throws
    {
        try await withClient(home) {
            $0.readConnections = 1
        } _: { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<40 {
                    group.addTask {
                        if task % 4 == 0 {
                            let error = await failure { _ = try await client.read("SELEKT \(task)") }
                            #expect(error?.sqlState == "42601")
                        } else {
                            // A text of its own, so each is prepared.
                            let sql: SQL = "SELECT \(task) AS \(unsafeRaw: "c\(task)")"
                            try await client.expect(sql, task)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: Home.allCases)
    func `More statements than are remembered: the oldest are deallocated on the server`(_ home: Home) async throws {
        try await withClient(home) {
            $0.statementCacheSize = 4
            $0.maxConnections = 1
        } _: { client in
            for number in 0..<20 {
                try await client.execute("SELECT \(number) AS \(unsafeRaw: "c\(number)")")
            }
            let prepared = try await client.execute("SELECT count(*) FROM pg_prepared_statements").first?.decode(
                Int.self)
            #expect((prepared ?? 0) <= 5)
        }
    }

    @Test(arguments: Home.allCases) func `Statements that the server has forgotten are prepared again`(_ home: Home)
        async throws
    {
        try await withClient(home) {
            $0.maxConnections = 1
        } _: { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            try await client.execute("INSERT INTO t VALUES (\(1))")
            try await client.execute("DEALLOCATE ALL")
            try await client.execute("INSERT INTO t VALUES (\(2))")
            try await client.expect("SELECT count(*) FROM t", 2)

            try await client.withTransaction { try await $0.execute("INSERT INTO t VALUES (\(3))") }
            try await client.execute("DEALLOCATE ALL")
            try await client.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                try await transaction.execute("INSERT INTO t VALUES (\(4))")
            }
            try await client.expect("SELECT count(*) FROM t", 4)
        }
    }

    @Test(arguments: Home.allCases) func `A table that changed its shape is read again as it is now`(_ home: Home)
        async throws
    {
        try await withClient(home) { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            try await client.execute("INSERT INTO t VALUES (1)")
            #expect(try await client.read("SELECT * FROM t").columns == ["n"])
            try await client.execute("ALTER TABLE t ADD COLUMN m bigint")
            for _ in 0..<4 { #expect(try await client.read("SELECT * FROM t").columns == ["n", "m"]) }
        }
    }

    @Test(arguments: Home.allCases) func `A deferred constraint that fails at the commit of a lone write is told`(
        _ home: Home
    ) async throws {
        try await withClient(home) { client in
            try await client.execute(
                "CREATE TABLE t (n bigint PRIMARY KEY, parent bigint REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
            let error = await failure { try await client.execute("INSERT INTO t VALUES (1, 99)") }
            #expect(error?.sqlState == "23503")
            #expect(error?.constraint == "t_parent_fkey")
            #expect(try await client.read("SELECT 1 FROM t").isEmpty)
        }
    }

    @Test(arguments: Home.allCases) func `Large values go both ways while others are served`(_ home: Home) async throws
    {
        try await withClient(home) {
            $0.acquireTimeout = .seconds(30)
        } _: { client in
            let large = [UInt8](repeating: 1, count: 1 << 20)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await client.expect("SELECT \(large)", large) }
                }
                for number in 0..<200 {
                    group.addTask { try await client.expect("SELECT \(number)", number) }
                }
                try await group.waitForAll()
            }
        }
    }
}
