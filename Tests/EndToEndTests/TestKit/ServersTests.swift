import TestKit
import Testing
import Synchronization

@Suite("The servers that tests start") struct ServersTests {
    @Test func `a database is fresh, and a template is prepared once`() async throws {
        let postgres = try await TestPostgres.shared()
        let one = try await postgres.database()
        try await postgres.psql("CREATE TABLE t (n int)", database: one)
        let preparations = Preparations()
        // Whichever comes first prepares it for both.
        let prepare: @Sendable (String) async throws -> Void = {
            preparations.count.add(1, ordering: .relaxed)
            try await postgres.psql("CREATE TABLE n AS SELECT 7 AS n", database: $0)
        }
        async let two = postgres.database(template: "numbers", prepare: prepare)
        async let three = postgres.database(template: "numbers", prepare: prepare)
        #expect(try await postgres.psql("SELECT n FROM n", database: two) == "7")
        #expect(try await postgres.psql("SELECT n FROM n", database: three) == "7")
        #expect(try await postgres.psql("SELECT count(*) FROM pg_class WHERE relname = 't'", database: two) == "0")
        #expect(preparations.count.load(ordering: .relaxed) == 1)
    }

    @Test func `Postgres keeps what it acknowledged when it is stopped or killed`() async throws {
        let postgres = try await TestPostgres.start()
        let database = try await postgres.database()
        try await postgres.psql("CREATE TABLE t (n int)", database: database)
        try await postgres.psql("INSERT INTO t VALUES (1)", database: database)
        try await postgres.kill9()
        #expect(!isListening(postgres.port))
        try await postgres.start()
        try await postgres.psql("INSERT INTO t VALUES (2)", database: database)
        try await postgres.restart(.immediate)
        try await postgres.restart()
        #expect(try await postgres.psql("SELECT sum(n) FROM t", database: database) == "3")
        postgres.freeze()
        #expect(isListening(postgres.port))
        postgres.thaw()
        #expect(try await postgres.psql("SELECT 1") == "1")
        try await postgres.stop()
    }

    @Test func `Redis can be frozen, killed and started again`() async throws {
        let redis = try await TestRedis.start(options: ["--appendonly", "yes", "--appendfsync", "always"])
        try await redis.cli("SET", "key", "value")
        redis.freeze()
        #expect(isListening(redis.port))
        redis.thaw()
        try await redis.kill9()
        try await redis.start()
        #expect(try await redis.cli("GET", "key") == "value")
        try await redis.stop()
    }
}

private final class Preparations: Sendable {
    let count = Atomic(0)
}
