import AsyncHTTPClient
import Foundation
import NIOCore
import Postgres

/// Requests whose answer can't have been kept.
enum HeroesRequests {
    /// Asks again and again, each time after the directory has become another.
    ///
    /// - Returns: how long each took, in seconds.
    static func afterChanges(
        _ stage: HeroesStage, _ path: String, count: Int, _ postgres: PostgresClient
    ) async throws -> [Double] {
        var times: [Double] = []
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(stage.port)\(path)")
        for _ in 0..<count {
            try await postgres.execute("UPDATE heroes.edition SET version = version + 1")
            let start = ContinuousClock.now
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let body = try await response.body.collect(upTo: 1 << 20)
            times.append((ContinuousClock.now - start) / .seconds(1))
            guard response.status == .ok else { throw BenchFailed("\(path): \(String(buffer: body))") }
        }
        return times
    }
}
