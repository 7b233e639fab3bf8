import Foundation
import Logging
import Postgres
import TestKit

/// Our Postgres client beside pgbench: the same server, table and statements, in turns, in one run.
enum PostgresBench {
    private static let rows = 100_000
    private static let tasks = 64

    private struct Load {
        let name: String
        /// The ratio to reach.
        let bar: Double
        /// What pgbench runs.
        let script: String
        /// How many connections our tasks share: commits that wait for the disk at the same time share one flush.
        let connections: Int
        /// The same, once, with the row's id.
        let run: @Sendable (PostgresClient, Int) async throws -> Void
    }

    private static let loads = [
        Load(
            name: "SELECT by primary key", bar: 2.5,
            script: """
                \\set id random(1, \(rows))
                SELECT id, first_name, email, email_verified, rate, created FROM bench_users WHERE id = :id;
                """,
            connections: 16,
            run: { client, id in
                let rows = try await client.read(
                    "SELECT id, first_name, email, email_verified, rate, created FROM bench_users WHERE id = \(id)")
                let users = try rows.decode((Int, String, String, Bool, Int32, Timestamp).self)
                guard users.first?.0 == id else { throw PostgresError(.decoding, "another row") }
            }),
        Load(
            name: "INSERT", bar: 1.0,
            script: """
                \\set id random(1, \(rows))
                INSERT INTO bench_events (user_id, body) VALUES (:id, 'something that happened');
                """,
            connections: 64,
            run: { client, id in
                try await client.execute(
                    "INSERT INTO bench_events (user_id, body) VALUES (\(id), \("something that happened"))")
            }),
        Load(
            name: "transaction of two", bar: 0.9,
            script: """
                \\set id random(1, \(rows))
                BEGIN;
                UPDATE bench_users SET rate = rate + 1 WHERE id = :id;
                INSERT INTO bench_events (user_id, body) VALUES (:id, 'something that happened');
                COMMIT;
                """,
            connections: 48,
            run: { client, id in
                try await client.withTransaction { transaction in
                    try await transaction.execute("UPDATE bench_users SET rate = rate + 1 WHERE id = \(id)")
                    try await transaction.execute(
                        "INSERT INTO bench_events (user_id, body) VALUES (\(id), \("something that happened"))")
                }
            }),
    ]

    /// - Parameters:
    ///   - conninfo: a database to use as one likes; nil starts a server that keeps what it acknowledged.
    ///   - seconds: of each measurement.
    ///   - rounds: turns of each; the median counts.
    static func run(conninfo: String?, seconds: Int, rounds: Int, only: String?) async throws {
        // Writes are measured with what they cost in earnest.
        let server = conninfo == nil ? try await TestPostgres.start(settings: ["fsync": "on"]) : nil
        let conninfo = conninfo ?? server?.conninfo() ?? ""
        let configuration = PostgresConfiguration(conninfo, applicationName: "bench")
        try await PostgresClient.with(configuration, logger: Logger(label: "bench")) { client in
            try await prepare(client)
            let fsync = try await client.read("SHOW fsync").first?.decode(String.self) ?? "?"
            print("Postgres: ours with \(tasks) tasks, pgbench -M prepared -c 16 -j 1; fsync \(fsync)")
        }
        for load in loads where only == nil || load.name.lowercased().contains(only ?? "") {
            var configuration = configuration
            configuration.maxConnections = load.connections
            var ours: [Double] = []
            var theirs: [Double] = []
            try await PostgresClient.with(configuration, logger: Logger(label: "bench")) { client in
                for _ in 0..<rounds {
                    theirs.append(try pgbench(load.script, conninfo, seconds))
                    ours.append(try await measure(load, client, seconds))
                }
            }
            report(load, ours: median(ours), theirs: median(theirs))
        }
    }

    private static func prepare(_ client: PostgresClient) async throws {
        try await client.withConnection { connection in
            try await connection.setStatementTimeout(nil)
            try await connection.executeScript(
                unsafeRaw: """
                    DROP TABLE IF EXISTS bench_users, bench_events;
                    CREATE TABLE bench_users (
                        id bigint PRIMARY KEY, first_name text NOT NULL, email text NOT NULL,
                        email_verified boolean NOT NULL, rate integer NOT NULL, created timestamptz NOT NULL);
                    CREATE TABLE bench_events (
                        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, body text NOT NULL);
                    INSERT INTO bench_users
                        SELECT n, 'Grace', 'grace' || n || '@example.com', n % 2 = 0, n % 100000, now()
                        FROM generate_series(1, \(rows)) AS n;
                    """)
            try await connection.execute("VACUUM ANALYZE bench_users")
        }
    }

    private static func measure(_ load: Load, _ client: PostgresClient, _ seconds: Int) async throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let end = start + .seconds(seconds)
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    var done = 0
                    var id = task
                    while clock.now < end {
                        id = (id &* 31_337 &+ 17) % rows
                        try await load.run(client, id + 1)
                        done += 1
                    }
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(total) / (clock.now - start).inSeconds
    }

    private static func pgbench(_ script: String, _ conninfo: String, _ seconds: Int) throws -> Double {
        let file = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID().uuidString).sql")
        try Data(script.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "pgbench", "-n", "-M", "prepared", "-c", "16", "-j", "1", "-T", "\(seconds)", "-f", file.path(), conninfo,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try unblockingSignals { try process.run() }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // "tps = 42000.123 (without initial connection time)"
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("tps = ") }),
            let rate = line.split(separator: " ").dropFirst(2).first.flatMap({ Double($0) })
        else { throw PostgresError(.unavailable, "pgbench gave no rate:\n\(text)") }
        return rate
    }

    /// A thread of the concurrency pool blocks all signals and a child inherits that: pgbench would never get the
    /// SIGALRM that ends it.
    private static func unblockingSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    private static func report(_ load: Load, ours: Double, theirs: Double) {
        let ratio = ours / theirs
        let verdict = ratio >= load.bar ? "reached" : "MISSED"
        print(
            String(
                format: "  %@ ours (%d connections) %9.0f/s  pgbench %9.0f/s  ratio %.2f  (bar %.1f: %@)",
                load.name.padding(toLength: 24, withPad: " ", startingAt: 0), load.connections, ours, theirs, ratio,
                load.bar, verdict))
    }

    private static func median(_ values: [Double]) -> Double {
        values.sorted()[values.count / 2]
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
