import NIOCore
import ServiceKit
import TestKit
import Testing

@testable import Postgres

@Suite struct PoolTests {
    @Test(arguments: Home.allCases)
    func `There are never more connections than the bound, and those who wait get their turn`(_ home: Home) async throws
    {
        try await withClient(home) {
            $0.maxConnections = 3
        } _: { client in
            let most = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<24 {
                    group.addTask {
                        try await client.execute(
                            """
                            SELECT count(*) FROM pg_stat_activity, pg_sleep(0.01)
                            WHERE datname = current_database() AND application_name = 'test'
                            """
                        ).first?.decode(Int.self) ?? 0
                    }
                }
                return try await group.reduce(0, max)
            }
            #expect(most > 1 && most <= 3 + 2)
        }
    }

    @Test(arguments: Home.allCases) func `Who waits too long is told that all are busy`(_ home: Home) async throws {
        try await withClient(home) {
            $0.maxConnections = 1
            $0.acquireTimeout = .seconds(2)
        } _: { client in
            try await eventually("connected for writes") { try await client.execute("SELECT 1").count == 1 }
            try await eventually("connected for reads") { try await client.value("SELECT 1", as: Int.self) == 1 }
            try await client.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                let start = ContinuousClock.now
                #expect(await code { try await client.execute("SELECT 1") } == .poolExhausted)
                let waited = ContinuousClock.now - start
                #expect(waited >= .seconds(2) && waited < .seconds(8))
                // Reads have their own connections.
                try await client.expect("SELECT 1", 1)
            }
            try await client.execute("SELECT 1")
        }
    }

    @Test(arguments: Home.allCases) func `The queue has an end`(_ home: Home) async throws {
        try await withClient(home) {
            $0.maxConnections = 1
            $0.maxWaiters = 2
        } _: { client in
            try await client.withTransaction { transaction in
                try await transaction.execute("SELECT 1")
                let codes = await withTaskGroup(of: PostgresError.Code?.self) { group in
                    for _ in 0..<5 {
                        group.addTask { await code { try await client.execute("SELECT 1") } }
                    }
                    var codes: [PostgresError.Code?] = []
                    for await code in group {
                        codes.append(code)
                        // The two that wait go on only when the transaction is over.
                        if codes.count == 3 { group.cancelAll() }
                    }
                    return codes
                }
                #expect(codes.prefix(3).allSatisfy { $0 == .poolExhausted })
                #expect(codes.suffix(2).allSatisfy { $0 == .cancelled })
            }
        }
    }

    @Test(arguments: Home.allCases) func `A server that is not there: unavailable within the wait`(_ home: Home)
        async throws
    {
        let port = try freePort()
        var configuration = PostgresConfiguration("host=127.0.0.1 port=\(port) user=nobody", applicationName: "test")
        configuration.acquireTimeout = .milliseconds(300)
        let start = ContinuousClock.now
        try await PostgresClient.with(configuration, logger: quiet) { client in
            let error = await failure { _ = try await client.read("SELECT 1") }
            #expect(error?.code == .unavailable)
            #expect(error?.isUnavailable == true)
            #expect(await code { try await client.execute("SELECT 1") } == .unavailable)
            let transaction = await code {
                _ = try await client.withTransaction { try await $0.execute("SELECT 1") }
            }
            #expect(transaction == .unavailable)
        }
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    /// Each of them when it was asleep before it had looked for work, which took a second. Most, since a machine may halt.
    @Test(arguments: Home.allCases) func `A new client answers at once`(_ home: Home) async throws {
        let server = try await TestPostgres.shared()
        var configuration = PostgresConfiguration(server.conninfo(), applicationName: "test")
        configuration.acquireTimeout = .seconds(20)
        var waits: [Duration] = []
        for _ in 0..<11 {
            try await PostgresClient.with(configuration, logger: quiet) { client in
                let start = ContinuousClock.now
                try await client.expect("SELECT 1", 1)
                waits.append(ContinuousClock.now - start)
            }
        }
        #expect(waits.sorted()[5] < .milliseconds(500), "\(waits)")
    }

    @Test(arguments: Home.allCases) func `Before it runs queries wait, and after it they are refused`(_ home: Home)
        async throws
    {
        let server = try await TestPostgres.shared()
        var configuration = PostgresConfiguration(server.conninfo(), applicationName: "test")
        configuration.acquireTimeout = .milliseconds(100)
        let client = PostgresClient(configuration, on: home.loop, logger: quiet)
        #expect(await code { _ = try await client.read("SELECT 1") } == .unavailable)
        let running = Task { try await client.run() }
        try await eventually("the first answer") { try await client.value("SELECT 1", as: Int.self) == 1 }
        running.cancel()
        try await running.value
        #expect(await code { _ = try await client.read("SELECT 1") } == .closed)
        #expect(await code { try await client.execute("SELECT 1") } == .closed)
    }

    @Test(arguments: Home.allCases) func `How many connections are in use is reported`(_ home: Home) async throws {
        let server = try await TestPostgres.shared()
        let registry = PrometheusRegistry()
        var configuration = PostgresConfiguration(server.conninfo(), applicationName: "test")
        configuration.acquireTimeout = .seconds(20)
        let client = PostgresClient(configuration, on: home.loop, metrics: registry, logger: quiet)
        let running = Task { try await client.run() }
        @Sendable func value(_ name: String) -> Double? {
            let lines = String(buffer: registry.exposition()).split(separator: "\n")
            let words = lines.first { $0.hasPrefix("\(name){") }?.split(separator: " ")
            return words?.last.flatMap { Double($0) }
        }
        let waiting = try await client.withTransaction { transaction in
            try await transaction.execute("SELECT pg_advisory_xact_lock(4711)")
            try await eventually("the transaction's is in use") { value("postgres_pool_busy") == 1 }
            let waiting = Task { try await client.read("SELECT pg_advisory_xact_lock(4711)") }
            try await eventually("one that reads share is too") { value("postgres_pool_busy") == 2 }
            return waiting
        }
        _ = try await waiting.value
        try await eventually("none is, and they stay open") {
            value("postgres_pool_busy") == 0 && (value("postgres_pool_connections") ?? 0) >= 2
        }
        running.cancel()
        try await running.value
    }

    @Test(arguments: Home.allCases) func `A slow read does not hold up those behind it`(_ home: Home) async throws {
        try await withClient(home) {
            $0.readConnections = 1
        } _: { client in
            let slow = try await client.withTransaction { transaction in
                try await transaction.execute("SELECT pg_advisory_xact_lock(4711)")
                let slow = Task { try await client.read("SELECT pg_advisory_xact_lock(4711)") }
                try await eventually("the slow read on the server") {
                    try await client.execute(
                        """
                        SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        """
                    ).isEmpty == false
                }
                // It waits for the end of this transaction, and so for these.
                try await client.expect("SELECT 1", 1)
                #expect(await failure { _ = try await client.read("CREATE TABLE t ()") }?.sqlState == "25006")
                #expect(await failure { _ = try await client.read("SELECT 1/0") }?.sqlState == "22012")
                return slow
            }
            _ = try await slow.value
        }
    }

    @Test(arguments: Home.allCases) func `A read that writes is refused`(_ home: Home) async throws {
        try await withClient(home) { client in
            #expect(await failure { _ = try await client.read("CREATE TABLE t ()") }?.sqlState == "25006")
        }
    }
}
