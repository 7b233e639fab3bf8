import Foundation
import Identity
import TestKit

/// What `bench calls` has in common: servers, people who are signed in, heroes who can be asked, and the executables of
/// this build with their default settings.
struct CallsStage: Sendable {
    /// Signed in, each with all that asking for a call needs, and with one accepted request of their own.
    static let people = 10_000
    static let heroes = 10_000
    /// Connections to Postgres that calls has by default, for reads and for the rest; the yardstick gets as many.
    static let postgresConnections = 18

    let postgres: TestPostgres
    let redis: TestRedis
    let secret = UUID().uuidString + UUID().uuidString
    let folder: URL

    /// - Parameters:
    ///   - settings: of Postgres. Commits wait for the disk, as they do in earnest, unless these say otherwise.
    ///   - starting: is called with the name of each server before it is started.
    static func start(
        _ settings: [String: String] = [:], starting: (_ server: String) throws -> Void = { _ in }
    ) async throws -> CallsStage {
        try starting("postgres")
        let postgres = try await TestPostgres.start(
            settings: [
                "fsync": "on", "full_page_writes": "on", "shared_buffers": "2GB", "max_wal_size": "8GB",
                "checkpoint_timeout": "30min",
            ].merging(settings) { $1 })
        try starting("redis")
        return CallsStage(
            postgres: postgres, redis: try await TestRedis.start(), folder: try await temporaryFolder("calls"))
    }

    private init(postgres: TestPostgres, redis: TestRedis, folder: URL) {
        self.postgres = postgres
        self.redis = redis
        self.folder = folder
    }

    func stop() async throws {
        try await redis.stop()
        try await postgres.stop()
    }

    // MARK: Data

    /// A database with the schema of calls and nothing in it.
    func emptyDatabase() async throws -> String {
        let database = try await postgres.database()
        try await RunningProcess.run("calls", ["migrate"], environment: environment(database: database, ports: []))
        return database
    }

    /// A database with people and heroes. Request `n` is that of person `n`; one time has been suggested on it.
    func database() async throws -> String {
        let database = try await emptyDatabase()
        try await postgres.psql(
            """
            INSERT INTO calls.users SELECT md5('person' || n)::uuid, 'Grace', 'Hopper ' || n,
                'https://images.example/' || n || '.jpg', 'America/Chicago', now(), 1
                FROM generate_series(1, \(Self.people)) n;
            INSERT INTO calls.users SELECT md5('hero' || n)::uuid, 'Tom', 'Brady ' || n,
                'https://images.example/hero' || n || '.jpg', 'America/Chicago', now(), 1
                FROM generate_series(1, \(Self.heroes)) n;
            INSERT INTO calls.heroes SELECT n, md5('hero' || n)::uuid, true, 500, 1
                FROM generate_series(1, \(Self.heroes)) n;
            INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents, status,
                created, updated)
                SELECT md5('person' || n)::uuid, n, md5('hero' || n)::uuid, repeat('How do I begin? ', 10), 30, 500, 'a',
                    now(), now() FROM generate_series(1, \(Self.people)) n;
            INSERT INTO calls.suggestions SELECT id, 1, hero_user_id, now(), now(), now(), now() FROM calls.requests;
            """, database: database)
        try await postgres.psql("VACUUM ANALYZE", database: database)
        return database
    }

    /// Where a token's copy is in Redis, without its hash.
    func tokenPrefix() async throws -> String {
        let info = try await redis.cli("INFO", "server")
        guard
            let runID = info.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("run_id:") })?.dropFirst(7)
        else { throw BenchFailed("Redis does not say its run_id") }
        return "\(TokenRecord.redisKeyPrefix)\(String(runID).trimmingCharacters(in: .whitespaces)):"
    }

    /// Signs people in, as accounts would.
    ///
    /// - Returns: a file with a token for each, line by line.
    func signIn(_ people: [UUID]) async throws -> URL {
        let (key, prefix) = (try SecretKey(secret), try await tokenPrefix())
        let expires = Int64(Date.now.timeIntervalSince1970) + 7 * 86_400
        var commands = ""
        var tokens = ""
        for (index, person) in people.enumerated() {
            let token = Token.random()
            let record = TokenRecord(
                userID: person, flags: [.emailVerified, .phoneVerified, .paymentVerified], tokenID: Int64(index + 1),
                version: 1, expires: expires)
            commands += "SET \(prefix)\(key.hash(of: token).hex) \"\(record.text)\" EX 604800\n"
            tokens += token.secret + "\n"
        }
        try await TestKit.run(["redis-cli", "-h", "127.0.0.1", "-p", "\(redis.port)"], input: commands)
        let file = folder.appendingPathComponent("tokens")
        try Data(tokens.utf8).write(to: file)
        return file
    }

    /// The ids of people by the numbers that they have in SQL.
    func ids(of numbers: String, _ kind: String = "person") async throws -> [UUID] {
        try await postgres.psql("SELECT md5('\(kind)' || n)::uuid FROM \(numbers) n ORDER BY n")
            .split(separator: "\n").compactMap { UUID(uuidString: String($0)) }
    }

    // MARK: Processes

    private func environment(database: String, ports: [Int]) -> [String: String] {
        let calls = ports.map { "http://127.0.0.1:\($0)" }.joined(separator: ",")
        // The stage has no accounts and heroes; all that is asked for is there.
        return [
            "DATABASE_URL": postgres.uri(database: database), "REDIS_URL": redis.url, "SECRET_KEY": secret,
            "LISTEN_HOST": "127.0.0.1", "DRAIN_SECONDS": "0", "CALLS_METRICS_PORT": "0", "GATEWAY_METRICS_PORT": "0",
            "ACCOUNTS_URL": "http://127.0.0.1:1", "HEROES_URL": "http://127.0.0.1:1", "CALLS_URL": calls,
        ]
    }

    /// A replica of calls.
    func calls(_ database: String) async throws -> (process: RunningProcess, port: Int) {
        let port = try freePort()
        let process = try await RunningProcess.start(
            "calls", ["serve"],
            environment: environment(database: database, ports: [port]).merging(["CALLS_PORT": "\(port)"]) { $1 },
            readyURL: "http://127.0.0.1:\(port)/health/ready")
        return (process, port)
    }

    /// A gateway before replicas of calls.
    func gateway(before ports: [Int]) async throws -> (process: RunningProcess, port: Int) {
        let port = try freePort()
        let process = try await RunningProcess.start(
            "gateway", ["serve"],
            environment: environment(database: "postgres", ports: ports).merging(["GATEWAY_PORT": "\(port)"]) { $1 },
            readyURL: "http://127.0.0.1:\(port)/health/ready")
        return (process, port)
    }

    /// The Go service of `Benchmarks/yardstick/calls`, built of Debian's packages.
    func yardstick(_ database: String) async throws -> (process: RunningProcess, port: Int) {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("yardstick/calls/main.go")
        let executable = folder.appendingPathComponent("calls-yardstick").path
        try await TestKit.run([
            "env", "GO111MODULE=off", "GOPATH=/usr/share/gocode", "go", "build", "-o", executable, source.path,
        ])
        let port = try freePort()
        let process = try await RunningProcess.start(
            executable,
            environment: environment(database: database, ports: []).merging([
                "PORT": "\(port)", "TOKEN_PREFIX": try await tokenPrefix(),
                "CONNECTIONS": "\(Self.postgresConnections)",
            ]) { $1 },
            readyURL: "http://127.0.0.1:\(port)/health/ready")
        return (process, port)
    }
}
