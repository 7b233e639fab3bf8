import CallsDomain
import Events
import Foundation
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import CallsService

/// What a list and a detail cost may not depend on how many requests there are: each must go by an index, with all that
/// others have left alone.
@Suite struct PlanTests {
    @Test func `List, count and detail go by indexes, with every filter`() async throws {
        try await RunningCalls.with { app async throws in
            try await app.sql(
                """
                INSERT INTO calls.users SELECT md5('u' || n)::uuid, 'a', 'b', NULL, 'UTC', now(), 1
                    FROM generate_series(0, 999) n;
                INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                    status, reason, agreed_time, created, updated)
                SELECT md5('u' || n % 1000)::uuid, n, md5('u' || (n * 7 + 3 + n % 3) % 1000)::uuid, 'm', 30, 100,
                    (ARRAY['o','a','d','a'])[n % 4 + 1], CASE WHEN n % 4 = 2 THEN 'no' ELSE '' END,
                    CASE WHEN n % 4 = 3 THEN now() + n * interval '1 minute' - interval '3 days' END, now(), now()
                FROM generate_series(1, 20000) n WHERE n % 1000 <> (n * 7 + 3 + n % 3) % 1000;
                INSERT INTO calls.suggestions
                    SELECT id, 1, hero_user_id, now(), now(), now(), now() FROM calls.requests WHERE status = 'a';
                VACUUM ANALYZE calls.requests, calls.suggestions, calls.users;
                """)
            let person = try #require(UUID(uuidString: try await app.sql("SELECT md5('u7')::uuid")))
            var pages: [PageRequest] = []
            for query in [
                "", "role=user", "role=hero", "status=o", "status=a&role=hero", "upcoming=true",
                "upcoming=true&role=user",
                "page=2", "page_size=100", "cursor=\(RequestCursor.olderThan(9000).text)",
                "cursor=\(RequestCursor.newerThan(9000).text)",
                "cursor=\(RequestCursor.olderThan(9000).text)&status=o&role=user",
            ] {
                pages.append(try PageRequest(try Query(query)))
            }
            let selects = pages
            try await app.withClient { client in
                for page in selects {
                    let plan = try await Self.plan(RequestPage.select(of: person, page, at: .now()), client)
                    try Self.expectIndexes(plan, "\(page)")
                    #expect(plan.contains("requests_of_") || plan.contains("requests_agreed_of_"), "\(page) \(plan)")
                }
                let plan = try await Self.plan(RequestRows.select(5000), client)
                try Self.expectIndexes(plan, "detail")
            }
        }
    }

    @Test func `Storing many at once reads no more than their heroes and pairs`() async throws {
        try await RunningCalls.with { app async throws in
            try await app.sql(
                """
                INSERT INTO calls.heroes SELECT n, gen_random_uuid(), true, 100, 1 FROM generate_series(1, 20000) n;
                INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                    created, updated)
                SELECT gen_random_uuid(), n, gen_random_uuid(), 'm', 30, 100, now(), now() FROM generate_series(1, 20000) n;
                VACUUM ANALYZE calls.heroes, calls.requests;
                """)
            let entries = (1...32).map { number in
                NewRequests.Entry(
                    requester: UUID(), heroID: Int64(number * 100), message: "m", estimatedLength: 30, created: .now(),
                    traceparent: "")
            }
            try await app.withClient { client in
                let outbox = Outbox(service: CallsSchema.name)
                for some in [entries.dropLast(), entries.suffix(1)] {
                    let plan = try await Self.plan(NewRequests.insertion(of: Array(some), outbox), client)
                    #expect(plan.contains("heroes_pkey") && !plan.contains("Seq Scan"), "\(plan)")
                }
            }
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == "32")
        }
    }

    @Test func `What is reminded of next is found by an index`() async throws {
        try await RunningCalls.with { app async throws in
            try await app.sql(
                """
                INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length, rate_in_cents,
                    status, agreed_time, reminded, created, updated)
                SELECT gen_random_uuid(), n, gen_random_uuid(), 'm', 30, 100, 'a', now() - n * interval '1 minute', now(),
                    now(), now() FROM generate_series(1, 20000) n;
                VACUUM ANALYZE calls.requests;
                """)
            try await app.withClient { client in
                let plan = try await Self.plan(
                    "SELECT min(agreed_time) FROM calls.requests WHERE agreed_time > \(Instant.now()) AND reminded IS NULL",
                    client)
                #expect(plan.contains("requests_to_remind") && !plan.contains("Seq Scan"), "\(plan)")
            }
        }
    }

    private static func plan(_ sql: SQL, _ client: PostgresClient) async throws -> String {
        try await client.withTransaction { transaction in
            // As a statement is planned that is prepared for whatever comes.
            try await transaction.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            return try await transaction.execute("EXPLAIN (ANALYZE, BUFFERS) \(sql)").decode(String.self)
                .joined(separator: "\n")
        }
    }

    private static func expectIndexes(_ plan: String, _ what: String) throws {
        #expect(!plan.contains("Seq Scan"), "\(what): \(plan)")
        // One person has some 40 of 20,000 requests; a page of 100 reads each of them once.
        let removed = plan.matches(of: /Rows Removed by Filter: (\d+)/).compactMap { Int($0.1) }
        #expect(removed.allSatisfy { $0 <= 40 }, "\(what): \(plan)")
        let buffers = try #require(plan.firstMatch(of: /Buffers: shared hit=(\d+)/).flatMap { Int($0.1) })
        #expect(buffers < 700, "\(what): \(plan)")
    }
}
