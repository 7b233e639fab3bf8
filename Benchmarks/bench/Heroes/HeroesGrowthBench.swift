import Foundation
import Postgres
import TestKit

/// What a page costs with a thousand heroes and with a million: the first one and the last one, which is reached by
/// following `next`. Once as it is served again and again, once as it is made after each change of the directory.
enum HeroesGrowthBench {
    private static let bar = 1.2
    /// Of a page in the walk to the last.
    private static let walkSize = 100
    /// Pages made anew in a turn.
    private static let made = 150

    static func run(seconds: Int, rounds: Int) async throws {
        let postgres = try await HeroesBench.postgres()
        let redis = try await TestRedis.start()
        try await HeroesData.with(HeroesBench.few, setting: "BENCH_HEROES_SMALL", on: postgres) { small in
            try await HeroesData.with(HeroesBench.many, setting: "BENCH_HEROES_LARGE", on: postgres) { large in
                let few = try await HeroesStage.start(database: small, redis: redis)
                let many = try await HeroesStage.start(database: large, redis: redis)
                print("The same page of \(HeroesBench.few) heroes and of \(HeroesBench.many), through the gateway")
                let lastOfFew = try await lastPage(few)
                let lastOfMany = try await lastPage(many)
                let pages = [
                    ("first page", HeroesBench.path, HeroesBench.path),
                    ("last page, by next", lastOfFew, lastOfMany),
                ]
                for (name, one, other) in pages {
                    try await compare("\(name), served", rounds) {
                        (
                            try await served(few, one, seconds: seconds),
                            try await served(many, other, seconds: seconds)
                        )
                    }
                    try await HeroesData.connected(small) { smaller in
                        try await HeroesData.connected(large) { larger in
                            try await compare("\(name), made anew", rounds) {
                                (
                                    try await makeAnew(few, one, smaller),
                                    try await makeAnew(many, other, larger)
                                )
                            }
                        }
                    }
                }
                try await few.stop()
                try await many.stop()
            }
        }
        try await redis.stop()
    }

    /// Turn by turn; each gives microseconds of both.
    private static func compare(
        _ name: String, _ rounds: Int, _ turn: () async throws -> (Double, Double)
    ) async throws {
        var few: [Double] = []
        var many: [Double] = []
        _ = try await turn()
        for _ in 0..<rounds {
            let (one, other) = try await turn()
            few.append(one)
            many.append(other)
        }
        let ratio = HeroesBench.median(many) / HeroesBench.median(few)
        print(
            String(
                format: "  %@: %.0f µs and %.0f µs, ratio %.2f (at most %.1f: %@)", name, HeroesBench.median(few),
                HeroesBench.median(many), ratio, bar, HeroesBench.verdict(ratio <= bar)))
    }

    /// Follows `next` from the first page to the last.
    ///
    /// - Returns: the path of the last.
    private static func lastPage(_ stage: HeroesStage) async throws -> String {
        var path = "\(HeroesBench.path)?page_size=\(walkSize)"
        var pages = 0
        var met = 0
        let start = ContinuousClock.now
        while true {
            let (json, _) = try await HeroesBench.page("http://127.0.0.1:\(stage.port)\(path)")
            pages += 1
            met += (json["results"] as? [Any])?.count ?? 0
            guard let next = json["next"] as? String, let query = next.split(separator: "?").last else { break }
            path = "\(HeroesBench.path)?\(query)"
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print(String(format: "  %d heroes met on %d pages in %.1f s", met, pages, seconds))
        guard met == Int(try await HeroesData.accepted(stage.database)) else { throw BenchFailed("\(met) met") }
        return path
    }

    /// Microseconds for each answer while many ask.
    private static func served(_ stage: HeroesStage, _ path: String, seconds: Int) async throws -> Double {
        let result = try await Wrk.run(
            port: stage.port, path: path, connections: HeroesBench.connections, seconds: seconds)
        guard result.failures == 0 else { throw BenchFailed("\(result.failures) answers failed") }
        return 1_000_000 / result.requestsPerSecond
    }

    /// Microseconds for each answer, one after the other, each after a change of the directory.
    private static func makeAnew(
        _ stage: HeroesStage, _ path: String, _ postgres: PostgresClient
    ) async throws -> Double {
        let times = try await HeroesRequests.afterChanges(stage, path, count: made, postgres)
        return HeroesBench.median(times) * 1_000_000
    }
}
