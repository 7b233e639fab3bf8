import Synchronization
import TestKit
import Testing

@testable import Postgres

/// On servers of their own, which these tests stop, kill and freeze.
@Suite(.serialized) struct FaultTests {
    enum Fault: String, CaseIterable, CustomTestStringConvertible {
        case restart, immediate, kill
        var testDescription: String { rawValue }
    }

    /// What the load has done since the server came back.
    private final class Progress: Sendable {
        private let state = Mutex((isBack: false, isOver: false, reads: 0, writes: 0))

        var isOver: Bool { state.withLock { $0.isOver } }
        var isUnderWayAgain: Bool { state.withLock { $0.reads > 50 && $0.writes > 50 } }

        func serverIsBack() { state.withLock { $0.isBack = true } }
        func end() { state.withLock { $0.isOver = true } }

        func count(read: Bool) {
            state.withLock { state in
                guard state.isBack else { return }
                if read { state.reads += 1 } else { state.writes += 1 }
            }
        }
    }

    /// Stops the server this way and starts it again.
    private func strike(_ server: TestPostgres, _ fault: Fault) async throws {
        switch fault {
        case .restart: try await server.stop(.fast)
        case .immediate: try await server.stop(.immediate)
        case .kill: try await server.kill9()
        }
        try await server.start()
    }

    @Test(arguments: Fault.allCases, Home.allCases)
    func `Under load: reads and writes come back by themselves, no acknowledged write is lost`(fault: Fault, home: Home)
        async throws
    {
        let server = try await TestPostgres.start()
        try await withClient(home, of: server) { client in
            try await client.execute("CREATE TABLE t (n bigint PRIMARY KEY)")
            let progress = Progress()
            let acknowledged = try await withThrowingTaskGroup(of: Set<Int>.self) { group in
                for task in 0..<16 {
                    group.addTask {
                        var written: Set<Int> = []
                        var number = task
                        while !progress.isOver {
                            number += 16
                            do {
                                if task % 2 == 0 {
                                    let answer = try await client.value("SELECT \(number)", as: Int.self)
                                    #expect(answer == number)
                                    progress.count(read: true)
                                } else if task % 4 == 1 {
                                    try await client.execute("INSERT INTO t VALUES (\(number))")
                                    written.insert(number)
                                    progress.count(read: false)
                                } else {
                                    let number = number
                                    try await client.withTransaction {
                                        try await $0.execute("INSERT INTO t VALUES (\(number))")
                                    }
                                    written.insert(number)
                                }
                            } catch let error as PostgresError {
                                // Told as what it is: away, lost or unknown, each worth another try; never another error.
                                #expect(error.isUnavailable, "\(String(reflecting: error))")
                            }
                        }
                        return written
                    }
                }
                group.addTask {
                    try await eventually("some writes") {
                        try await client.value("SELECT count(*) FROM t", as: Int.self) > 100
                    }
                    try await strike(server, fault)
                    progress.serverIsBack()
                    try await eventually(within: .seconds(20), "reads and writes after it") {
                        progress.isUnderWayAgain
                    }
                    progress.end()
                    return []
                }
                return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
            }
            let kept = Set(try await client.read("SELECT n FROM t").decode(Int.self))
            #expect(acknowledged.subtracting(kept).isEmpty)
        }
    }

    @Test(arguments: Home.allCases) func `A read survives the end of its connection, prepared statements and all`(
        _ home: Home
    ) async throws {
        let server = try await TestPostgres.start()
        try await withClient(home, of: server) { client in
            for _ in 0..<3 { try await client.expect("SELECT \(1)", 1) }
            try await server.restart()
            try await client.expect("SELECT \(2)", 2)
            try await client.execute("SELECT \(3)")
        }
    }

    @Test(arguments: Home.allCases) func `A write that was sent when the server was killed is of unknown outcome`(
        _ home: Home
    ) async throws {
        let server = try await TestPostgres.start()
        try await withClient(home, of: server) {
            $0.acquireTimeout = .milliseconds(300)
            $0.maxConnections = 1
        } _: { client in
            try await eventually("connected") { try await client.execute("SELECT 1").count == 1 }
            let write = Task { try await client.execute("SELECT pg_sleep(30) /* sent */") }
            try await eventually("the write on the server") {
                try await !client.read(
                    "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%/* sent */' AND state = 'active' AND pid <> pg_backend_pid()"
                ).isEmpty
            }
            try await server.kill9()
            #expect(await code { _ = try await write.value } == .outcomeUnknown)
            // Never sent, since there is no connection.
            #expect(await code { try await client.execute("SELECT 1") } == .unavailable)
        }
    }

    @Test(arguments: Home.allCases) func `A COMMIT whose answer never came is of unknown outcome`(_ home: Home)
        async throws
    {
        let server = try await TestPostgres.start()
        try await withClient(home, of: server) { client in
            try await client.execute("CREATE TABLE t (n bigint)")
            // A trigger that waits at the commit, when nobody can say any more whether it will come.
            try await client.execute(
                """
                CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                \(unsafeRaw: "$$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$")
                """)
            try await client.execute(
                """
                CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION wait()
                """)
            let work = Task {
                try await client.withTransaction { try await $0.execute("INSERT INTO t VALUES (1)") }
            }
            try await eventually("COMMIT on the server") {
                try await !client.read("SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'")
                    .isEmpty
            }
            try await server.kill9()
            #expect(await code { _ = try await work.value } == .outcomeUnknown)
        }
    }

    @Test(arguments: Home.allCases) func `A frozen server: everyone is told in time, and when it thaws all is well`(
        _ home: Home
    ) async throws {
        let server = try await TestPostgres.start()
        try await withClient(home, of: server) {
            $0.statementTimeout = .milliseconds(500)
            $0.acquireTimeout = .milliseconds(500)
        } _: { client in
            try await eventually("connected for writes") { try await client.execute("SELECT 1").count == 1 }
            try await eventually("connected for reads") { try await client.value("SELECT 1", as: Int.self) == 1 }
            server.freeze()
            let start = ContinuousClock.now
            let codes = await withTaskGroup(of: PostgresError.Code?.self) { group in
                for _ in 0..<4 {
                    group.addTask { await code { _ = try await client.read("SELECT 1") } }
                    group.addTask { await code { try await client.execute("SELECT 1") } }
                    group.addTask {
                        await code { _ = try await client.withTransaction { try await $0.execute("SELECT 1") } }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(ContinuousClock.now - start < .seconds(8))
            let possible: Set<PostgresError.Code?> = [
                .timedOut, .unavailable, .outcomeUnknown, .poolExhausted, .connectionLost,
            ]
            #expect(codes.allSatisfy { possible.contains($0) }, "\(codes)")
            server.thaw()
            try await eventually("answers again") { try await client.value("SELECT 1", as: Int.self) == 1 }
            try await eventually("writes again") { try await client.execute("SELECT 1").count == 1 }
        }
    }

    @Test(arguments: Home.allCases) func `Cancelling on a frozen server ends in time`(_ home: Home) async throws {
        let server = try await TestPostgres.start()
        try await withClient(home, of: server) {
            $0.cancelTimeout = .seconds(2)
        } _: { client in
            try await client.execute("SELECT 1")
            let write = Task { try await client.execute("SELECT pg_sleep(30) /* held */") }
            try await eventually("the write on the server") {
                try await !client.read(
                    "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%/* held */' AND state = 'active' AND pid <> pg_backend_pid()"
                ).isEmpty
            }
            server.freeze()
            defer { server.thaw() }
            let start = ContinuousClock.now
            write.cancel()
            #expect(await code { _ = try await write.value } == .outcomeUnknown)
            #expect(ContinuousClock.now - start < .seconds(6))
        }
    }

    @Test(arguments: Home.allCases) func `The first host is dead: the second serves`(_ home: Home) async throws {
        let server = try await TestPostgres.start()
        let dead = try freePort()
        let conninfo = server.uri().replacing("@127.0.0.1:", with: "@127.0.0.1:\(dead),127.0.0.1:")
        var configuration = PostgresConfiguration(
            conninfo + "?target_session_attrs=read-write", applicationName: "test")
        configuration.acquireTimeout = .seconds(20)
        try await PostgresClient.with(configuration, logger: quiet) { client in
            try await client.expect("SELECT 1", 1)
        }
    }
}
