import AsyncHTTPClient
import Foundation
import NIOCore
import TestKit

/// The public directory, through the gateway.
enum HeroesBench {
    static let connections = 64
    static let path = "/api/v1/heroes/"
    static let few = 1000
    /// A million, unless a trial wants fewer.
    static var many: Int { Int(Main.setting("BENCH_HEROES") ?? "") ?? 1_000_000 }

    static func run(seconds: Int, rounds: Int) async throws {
        try await HeroesPageBench.run(seconds: seconds, rounds: rounds)
        try await HeroesGrowthBench.run(seconds: seconds, rounds: rounds)
        try await HeroesMillionBench.run()
    }

    /// A Postgres as an installation would have it, but for the size of its memory; one for all parts.
    static func postgres() async throws -> TestPostgres { try await server.value }

    private static let server = Task {
        try await TestPostgres.start(
            settings: ["fsync": "on", "full_page_writes": "on", "shared_buffers": "512MB", "max_wal_size": "8GB"])
    }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    static func verdict(_ isReached: Bool) -> String { isReached ? "reached" : "MISSED" }

    /// A document that was answered with 200, and its bytes.
    static func page(_ url: String) async throws -> (json: [String: Any], bytes: Int) {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 1 << 20)
        guard response.status == .ok,
            let json = try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
        else { throw BenchFailed("\(url) answered \(String(buffer: body).prefix(400))") }
        return (json, body.readableBytes)
    }
}
