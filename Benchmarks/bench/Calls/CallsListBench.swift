import Foundation
import TestKit

/// A person's list with very many requests in the table beside the same with 10,000: through the gateway, by people who
/// have as many requests here as there.
enum CallsListBench {
    private static let bar = 1.3
    private static let few = 10_000
    /// Of each person on each side.
    private static let ofAPerson = 10
    private static let askers = few / ofAPerson
    private static let connections = 16

    /// - Parameter requests: in the larger table.
    static func run(requests: Int, seconds: Int, rounds: Int) async throws {
        guard requests >= few, requests.isMultiple(of: few) else {
            throw BenchFailed("the number of requests must be a multiple of \(few)")
        }
        // Nothing is written while it is measured.
        let stage = try await CallsStage.start([
            "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "4GB",
            "maintenance_work_mem": "1GB", "max_wal_size": "32GB",
        ])
        let clock = ContinuousClock()
        let begun = clock.now
        var gateways: [(process: RunningProcess, port: Int)] = []
        var calls: [(process: RunningProcess, port: Int)] = []
        for count in [few, requests] {
            let database = try await stage.emptyDatabase()
            try await fill(stage, database, count)
            calls.append(try await stage.calls(database))
        }
        for one in calls { gateways.append(try await stage.gateway(before: [one.port])) }
        print(
            "Filled in \(Int((clock.now - begun) / .seconds(1))) s. Lists of \(askers) people, each on both sides of "
                + "\(ofAPerson) requests, \(connections) connections")
        // The same people in the large table as in the small one, as far apart as can be.
        var loads: [CallsLoad] = []
        for (index, count) in [few, requests].enumerated() {
            let folder = stage.folder.appendingPathComponent("\(index)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let step = count / ofAPerson / askers
            let people = try await stage.ids(of: "generate_series(0, \(count / ofAPerson - 1), \(step))")
            let file = folder.appendingPathComponent("tokens")
            try FileManager.default.moveItem(at: try await stage.signIn(people), to: file)
            loads.append(try CallsLoad(folder, tokens: file))
        }
        var duel = Duel("list", "\(few) requests", "\(requests) requests")
        func turn(_ index: Int, _ seconds: Int) async throws -> Wrk {
            try await loads[index].run(
                .list, port: gateways[index].port, start: 0, connections: connections, seconds: seconds)
        }
        for index in 0...1 { _ = try await turn(index, 2) }
        for _ in 0..<rounds { duel.add(try await turn(0, seconds), try await turn(1, seconds)) }
        let cost = 1 / duel.ratio
        print(
            String(
                format:
                    "list: %.0f/s of %d requests, %.0f/s of %d requests: costs %.2f times as much (at most: %.2f)%@",
                duel.firstRate, few, duel.secondRate, requests, cost, bar, cost > bar ? "  MISSED" : ""))
        for process in gateways.map(\.process) + calls.map(\.process) { try await process.terminate() }
        try await stage.stop()
    }

    /// Everybody asks the next ten, and so is asked by the ten before. What is agreed is past.
    private static func fill(_ stage: CallsStage, _ database: String, _ count: Int) async throws {
        let people = count / ofAPerson
        try await stage.postgres.psql(
            """
            -- No foreign key is looked up for what is right by construction.
            SET session_replication_role = replica;
            CREATE TEMPORARY TABLE dropped AS SELECT indexname, indexdef FROM pg_indexes
                WHERE schemaname = 'calls' AND tablename = 'requests' AND indexname <> 'requests_pkey';
            DO $$ DECLARE name text; BEGIN
                FOR name IN SELECT indexname FROM dropped LOOP EXECUTE 'DROP INDEX calls.' || name; END LOOP;
            END $$;
            INSERT INTO calls.users SELECT md5('person' || n)::uuid, 'Grace', 'Hopper ' || n,
                'https://images.example/' || n || '.jpg', 'America/Chicago', now(), 1
                FROM generate_series(0, \(people - 1)) n;
            INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents, status,
                reason, agreed_time, created, updated)
            SELECT md5('person' || asker)::uuid, asked + 1, md5('person' || asked)::uuid,
                repeat('How do I begin? ', 10), 30, 500, status, CASE status WHEN 'd' THEN 'Not today' ELSE '' END,
                CASE WHEN status = 'a' AND n % 3 = 0 THEN now() - interval '1 day' END, now(), now()
            FROM (SELECT n, n % \(people) AS asker, (n % \(people) + 1 + n / \(people)) % \(people) AS asked,
                (ARRAY['o', 'd', 'a', 'a'])[(n + n / \(people)) % 4 + 1] AS status
                FROM generate_series(0, \(count - 1)) n) rows;
            INSERT INTO calls.suggestions SELECT id, 1, hero_user_id, now(), now(), now(), now()
                FROM calls.requests WHERE status = 'a';
            DO $$ DECLARE definition text; BEGIN
                FOR definition IN SELECT indexdef FROM dropped LOOP EXECUTE definition; END LOOP;
            END $$;
            """, database: database)
        try await stage.postgres.psql("VACUUM ANALYZE", database: database)
    }
}
