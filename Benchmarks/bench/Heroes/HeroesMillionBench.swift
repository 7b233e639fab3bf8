import Foundation
import Postgres
import TestKit

/// Every filter, every order and searches of a million heroes. No answer is one that was kept: the directory changes
/// before each request.
enum HeroesMillionBench {
    /// Milliseconds at p99.
    private static let bar = 50.0
    private static let barOfMost = 250.0
    /// What a search may match to be within the first bar.
    private static let rare = 1000
    private static let requests = 100

    private static let orderings = [
        "", "ordering=created", "ordering=rate_in_cents", "ordering=-rate_in_cents", "ordering=years_of_exp",
        "ordering=-years_of_exp",
    ]
    private static let filters = [
        "", "discipline=BE", "discipline=AN", "min_rate=300", "max_rate=100", "min_rate=201&max_rate=224",
        "min_rate=4000", "discipline=IO&min_rate=100&max_rate=400",
    ]
    private static let searches = [
        "search=grace+hopper", "search=lovelace+pyt", "search=kotlin+turing&discipline=AN", "search=cobol+smalltalk",
        "search=hopper+react&min_rate=300", "search=nobodyhasthisword", "search=lovelace", "search=kubernetes",
        "search=production", "search=help",
    ]

    static func run() async throws {
        let postgres = try await HeroesBench.postgres()
        let redis = try await TestRedis.start()
        try await HeroesData.with(HeroesBench.many, setting: "BENCH_HEROES_LARGE", on: postgres) { database in
            let stage = try await HeroesStage.start(database: database, redis: redis)
            print(
                "\(HeroesBench.many) heroes: filters, orders and searches, \(requests) of each, none from memory; in ms"
            )
            try await HeroesData.connected(database) { client in
                let only = Main.setting("BENCH_ONLY")
                var missed = 0
                for filter in filters + searches {
                    for ordering in orderings {
                        let query = [filter, ordering].filter { !$0.isEmpty }.joined(separator: "&")
                        if let only, !query.contains(only) { continue }
                        if try await !measure(query, stage, client) { missed += 1 }
                    }
                }
                print("\(missed) missed")
            }
            try await stage.stop()
        }
        try await redis.stop()
    }

    private static func measure(_ query: String, _ stage: HeroesStage, _ client: PostgresClient) async throws -> Bool {
        let path = HeroesBench.path + (query.isEmpty ? "" : "?\(query)")
        let (page, _) = try await HeroesBench.page("http://127.0.0.1:\(stage.port)\(path)")
        let count = page["count"] as? Int ?? 0
        // Pages of tables are touched for the first time, which is the machine's disk and not ours.
        _ = try await HeroesRequests.afterChanges(stage, path, count: 3, client)
        let latencies = Latencies(try await HeroesRequests.afterChanges(stage, path, count: requests, client))
        let bar = !query.contains("search=") || count <= rare ? bar : barOfMost
        let isReached = latencies.p99 * 1000 <= bar
        let about = page["count_exact"] as? Bool == false ? "about " : ""
        print(
            "  \(query.isEmpty ? "(all)" : query), \(about)\(count): \(latencies) (\(Int(bar)): \(HeroesBench.verdict(isReached)))"
        )
        return isReached
    }
}
