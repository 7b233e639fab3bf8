import AsyncHTTPClient
import Foundation
import Identity
import TestKit

/// The gateway's executable of this build with its default settings, and a token that it knows.
struct BenchedGateway {
    let process: RunningProcess
    let port: Int
    /// Where its metrics are.
    let metricsPort: Int
    let token: String
    let user: UUID
    /// From its start, by a shell, to the first 200 of `/health/ready`.
    let secondsToReady: Double

    /// - Parameters:
    ///   - servicePort: where everything that it passes on goes.
    ///   - secret: what services that check who asks have as well.
    static func start(
        redis: TestRedis, servicePort: Int, settings: [String: String] = [:],
        secret: String = UUID().uuidString + UUID().uuidString
    ) async throws -> BenchedGateway {
        let (port, metricsPort) = (try freePort(), try freePort())
        let service = "http://127.0.0.1:\(servicePort)"
        let clock = ContinuousClock()
        let start = clock.now
        let process = try await RunningProcess.start(
            "gateway", ["serve"],
            environment: [
                "GATEWAY_PORT": "\(port)", "GATEWAY_METRICS_PORT": "\(metricsPort)", "LISTEN_HOST": "127.0.0.1",
                "ACCOUNTS_URL": service, "HEROES_URL": service, "CALLS_URL": service, "REDIS_URL": redis.url,
                "SECRET_KEY": secret,
            ].merging(settings) { $1 })
        try await process.waitUntilReady("http://127.0.0.1:\(port)/health/ready")
        let took = clock.now - start
        let user = UUID()
        return BenchedGateway(
            process: process, port: port, metricsPort: metricsPort,
            token: try await signIn(user, tokenID: 1, redis: redis, secret: secret), user: user,
            secondsToReady: took / .seconds(1))
    }

    /// What accounts would write into Redis.
    private static func signIn(_ user: UUID, tokenID: Int64, redis: TestRedis, secret: String) async throws -> String {
        let token = Token.random()
        let info = try await redis.cli("INFO", "server")
        guard
            let runID = info.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("run_id:") })?.dropFirst(7)
        else { throw BenchFailed("Redis does not say its run_id") }
        let record = TokenRecord(
            userID: user, flags: [.emailVerified], tokenID: tokenID, version: 1,
            expires: Int64(Date.now.timeIntervalSince1970) + 7 * 86_400)
        let key = TokenRecord.redisKey(
            serverRunID: String(runID).trimmingCharacters(in: .whitespaces),
            hash: try SecretKey(secret).hash(of: token))
        try await redis.cli("SET", key, record.text, "EX", "604800")
        return token.secret
    }
}
