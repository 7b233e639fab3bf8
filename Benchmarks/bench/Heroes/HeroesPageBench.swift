import Foundation
import TestKit

/// The first page of the directory through the gateway, beside a service in Go that is asked directly.
enum HeroesPageBench {
    private static let bar = 2.0

    static func run(seconds: Int, rounds: Int) async throws {
        let postgres = try await HeroesBench.postgres()
        let redis = try await TestRedis.start()
        try await HeroesData.with(HeroesBench.few, setting: "BENCH_HEROES_SMALL", on: postgres) { database in
            let stage = try await HeroesStage.start(database: database, redis: redis)
            let go = try await GoDirectory.start(database: database)
            print(
                "First page of \(HeroesBench.few) heroes, \(HeroesBench.connections) connections: through gateway and "
                    + "heroes, beside gin and pgx, asked directly, with the count and the page read for each request.")
            try await compare(stage.port, go.port)

            var ours: [Double] = []
            var theirs: [Double] = []
            _ = try await turn(go.port, seconds: 1)
            _ = try await turn(stage.port, seconds: 1)
            for round in 1...rounds {
                let other = try await turn(go.port, seconds: seconds)
                let before = stage.processorTime
                let mine = try await turn(stage.port, seconds: seconds)
                let spent = (stage.processorTime - before) * 1_000_000 / (mine.requestsPerSecond * Double(seconds))
                ours.append(mine.requestsPerSecond)
                theirs.append(other.requestsPerSecond)
                print(
                    String(
                        format:
                            "  round %d: Go %.0f/s (p99 %@), ours %.0f/s (p99 %@, %.1f µs of processor), ratio %.2f",
                        round, other.requestsPerSecond, other.p99, mine.requestsPerSecond, mine.p99, spent,
                        mine.requestsPerSecond / other.requestsPerSecond))
            }
            let ratio = HeroesBench.median(zip(ours, theirs).map { $0 / $1 })
            print(
                String(
                    format: "medians: Go %.0f/s, ours %.0f/s; ratio %.2f (at least %.1f: %@)",
                    HeroesBench.median(theirs), HeroesBench.median(ours), ratio, bar,
                    HeroesBench.verdict(ratio >= bar)))
            try await go.process.terminate()
            try await stage.stop()
        }
        try await redis.stop()
    }

    private static func turn(_ port: Int, seconds: Int) async throws -> Wrk {
        let result = try await Wrk.run(
            port: port, path: HeroesBench.path, connections: HeroesBench.connections, seconds: seconds)
        guard result.failures == 0 else { throw BenchFailed("\(result.failures) answers on \(port) failed") }
        return result
    }

    /// Both must say the same, but for how they call the next page.
    private static func compare(_ ours: Int, _ theirs: Int) async throws {
        let mine = try await HeroesBench.page("http://127.0.0.1:\(ours)\(HeroesBench.path)")
        let other = try await HeroesBench.page("http://127.0.0.1:\(theirs)\(HeroesBench.path)")
        guard mine.json["count"] as? Int == other.json["count"] as? Int,
            try results(mine.json) == results(other.json)
        else { throw BenchFailed("the two pages are not the same") }
        print("  the same page from both: \(mine.bytes) bytes, Go's \(other.bytes)")
    }

    /// The heroes in a form in which equal ones are equal.
    private static func results(_ page: [String: Any]) throws -> Data {
        guard let results = page["results"] as? [Any], results.count == 10 else { throw BenchFailed("not ten heroes") }
        return try JSONSerialization.data(withJSONObject: results, options: .sortedKeys)
    }
}
