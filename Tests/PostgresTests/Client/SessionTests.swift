import TestKit
import Testing

@testable import Postgres

@Suite struct SessionTests {
    private struct Refused: Error {}

    @Test(arguments: Home.allCases) func `A connection given back in the middle of a transaction is clean`(_ home: Home)
        async throws
    {
        try await withClient(home) {
            $0.maxConnections = 1
        } _: { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            await #expect(throws: Refused.self) {
                try await client.withConnection { connection in
                    try await connection.execute("BEGIN")
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    try await connection.execute("SET lock_timeout = '7s'")
                    throw Refused()
                }
            }
            try await client.withConnection { connection in
                try await connection.execute("BEGIN")
                _ = try? await connection.execute("SELECT 1 / 0")
            }
            #expect(try await client.execute("SHOW lock_timeout")[0].decode(String.self) == "0")
            try await client.expect("SELECT count(*) FROM t", 0)
        }
    }

    @Test(arguments: Home.allCases)
    func `Locks, settings and LISTEN end with the session; the client's own settings stay`(_ home: Home) async throws {
        try await withClient(home) {
            $0.maxConnections = 1
        } _: { client in
            try await client.withConnection { connection in
                try await connection.execute("SELECT pg_advisory_lock(42)")
                try await connection.setStatementTimeout(nil)
                #expect(try await connection.execute("SHOW statement_timeout")[0].decode(String.self) == "0")
                try await connection.listen("news")
            }
            #expect(try await client.execute("SHOW statement_timeout")[0].decode(String.self) == "10s")
            #expect(try await client.execute("SHOW TimeZone")[0].decode(String.self) == "UTC")
            let locks = try await client.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 42")
            #expect(locks.isEmpty)
            #expect(try await client.execute("SELECT pg_listening_channels()").isEmpty)
        }
    }

    @Test(arguments: Home.allCases) func `A script runs all its statements or none`(_ home: Home) async throws {
        try await withClient(home) { client in
            try await client.withConnection { connection in
                try await connection.executeScript(unsafeRaw: "CREATE TABLE a (); CREATE TABLE b (); SELECT 1")
                #expect(
                    await failure { try await connection.executeScript(unsafeRaw: "CREATE TABLE c (); SELECT 1 / 0") }?
                        .sqlState == "22012")
                #expect(try await connection.execute("SELECT \(1)")[0].decode(Int.self) == 1)
            }
            let tables = try await client.read(
                "SELECT relname::text FROM pg_class WHERE relname IN ('a', 'b', 'c') ORDER BY 1")
            #expect(try tables.decode(String.self) == ["a", "b"])
        }
    }

    @Test(arguments: Home.allCases) func `COPY takes rows, tells how many, and forgets them when its writer fails`(
        _ home: Home
    ) async throws {
        try await withClient(home) {
            $0.maxConnections = 1
        } _: { client in
            try await client.execute("CREATE TABLE t (n bigint PRIMARY KEY, name text)")
            try await client.withConnection { connection in
                let count = try await connection.copy("COPY t FROM STDIN") { writer in
                    for start in stride(from: 0, to: 50_000, by: 1_000) {
                        try await writer.write((start..<(start + 1_000)).map { "\($0)\tname \($0)\n" }.joined())
                    }
                }
                #expect(count == 50_000)
                await #expect(throws: Refused.self) {
                    try await connection.copy("COPY t FROM STDIN") { writer in
                        try await writer.write("60000\tx\n")
                        throw Refused()
                    }
                }
                let error = await failure {
                    try await connection.copy("COPY t FROM STDIN") { try await $0.write("1\ttwice\n") }
                }
                #expect(error?.sqlState == "23505")
                let missing = await failure { try await connection.copy("COPY nowhere FROM STDIN") { _ in } }
                #expect(missing?.sqlState == "42P01")
                #expect(try await connection.execute("SELECT count(*) FROM t")[0].decode(Int.self) == 50_000)
            }
            #expect(try await client.execute("SELECT 1").count == 1)
        }
    }

    @Test(arguments: Home.allCases) func `A COPY that nobody feeds does not hang its session`(_ home: Home) async throws
    {
        try await withClient(home) { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            try await client.withConnection { connection in
                #expect(await code { try await connection.executeScript(unsafeRaw: "COPY t FROM STDIN") } != nil)
                #expect(await code { try await connection.execute("SELECT 1") } == .connectionLost)
            }
            try await client.execute("SELECT 1")
        }
    }

    @Test(arguments: Home.allCases) func `Notifications arrive, and their stream ends with the connection`(_ home: Home)
        async throws
    {
        try await withClient(home) { client in
            try await client.withConnection { connection in
                try await connection.listen("it's \"news\"")
                for number in 0..<3 {
                    try await client.execute("SELECT pg_notify(\("it's \"news\""), \("\(number)"))")
                }
                var payloads: [String] = []
                for await notification in connection.notifications {
                    payloads.append(notification.payload)
                    if payloads.count == 3 { break }
                }
                #expect(payloads == ["0", "1", "2"])
            }
            try await client.withConnection { connection in
                try await connection.listen("news")
                let pid = try await connection.execute("SELECT pg_backend_pid()")[0].decode(Int32.self)
                try await client.execute("SELECT pg_terminate_backend(\(pid))")
                for await _ in connection.notifications {}
                #expect(await code { try await connection.execute("SELECT 1") } == .connectionLost)
            }
        }
    }

    @Test(arguments: Home.allCases) func `A session used after its end is closed`(_ home: Home) async throws {
        try await withClient(home) { client in
            let kept = try await client.withConnection { $0 }
            #expect(await code { try await kept.execute("SELECT 1") } == .closed)
        }
    }
}
