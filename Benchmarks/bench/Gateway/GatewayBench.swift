import AsyncHTTPClient
import Foundation
import Identity
import TestKit

/// The gateway beside nginx with `auth_request`: the same small service behind both, the same client before both, in
/// turns. Both write an access log, keep connections on both sides, and have as many threads or workers as there are
/// cores, which they share with the service and with the client.
enum GatewayBench {
    private static let connections = 64
    private static let bar = 0.9
    private static let path = "/api/v1/accounts/profile"
    private static let memoryBar = 40
    private static let startBar = 1.0

    static func run(seconds: Int, rounds: Int) async throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let (servicePort, authPort, nginxPort) = (try freePort(), try freePort(), try freePort())
        let redis = try await TestRedis.start()
        let services = try await Nginx.services(
            port: servicePort, authPort: authPort, body: profile, identity: "1700000000.u.\(user).2.1.0123456789abcdef")
        let nginx = try await Nginx.gateway(
            port: nginxPort, workers: cores, servicePort: servicePort, authPort: authPort)
        let gateway = try await BenchedGateway.start(redis: redis, servicePort: servicePort)

        print("Gateway: 64 connections, a token with each; behind both the same nginx that answers from memory.")
        print(
            "For nginx the token goes to an auth endpoint on that nginx too, which says yes without looking anything up."
        )
        print(
            line(
                "ready after", gateway.secondsToReady, startBar,
                { String(format: "%.2f s", $0) }, reached: gateway.secondsToReady <= startBar))
        let idle = Double(gateway.process.residentMemory ?? 0) / 1_048_576
        print(
            line(
                "resident memory, idle", idle, Double(memoryBar),
                { String(format: "%.1f MB", $0) }, reached: idle <= Double(memoryBar)))

        var ours: [Turn] = []
        var theirs: [Turn] = []
        // Not counted: connections are made, pages are touched.
        _ = try await turn(nginx.process, port: nginxPort, token: gateway.token, seconds: 1)
        _ = try await turn(gateway.process, port: gateway.port, token: gateway.token, seconds: 1)
        for round in 1...rounds {
            theirs.append(try await turn(nginx.process, port: nginxPort, token: gateway.token, seconds: seconds))
            ours.append(
                try await turn(gateway.process, port: gateway.port, token: gateway.token, seconds: seconds))
            if let mine = ours.last, let other = theirs.last {
                print("  round \(round): nginx \(other), gateway \(mine), ratio \(ratio(mine.rate / other.rate))")
            }
        }
        let ratios = zip(ours, theirs).map { $0.rate / $1.rate }.sorted()
        let median = ratios[ratios.count / 2]
        print(
            "Gateway beside nginx auth_request: median ratio \(ratio(median)) "
                + "(to reach: \(ratio(bar)))\(median < bar ? "  MISSED" : "")")
        let after = Double(gateway.process.residentMemory ?? 0) / 1_048_576
        print(String(format: "Resident memory of the gateway after the load: %.1f MB", after))
        try await gateway.process.terminate()
        try await nginx.stop()
        try await services.stop()
        try await redis.stop()
    }

    private struct Turn: CustomStringConvertible {
        let rate: Double
        let processorMicroseconds: Double
        let p99: String

        var description: String {
            String(format: "%.0f/s (%.1f µs of processor, p99 %@)", rate, processorMicroseconds, p99)
        }
    }

    private static func turn(_ process: RunningProcess, port: Int, token: String, seconds: Int) async throws -> Turn {
        let before = ProcessorTime.of(process.pid)
        let result = try await Wrk.run(
            port: port, path: path, token: token, connections: connections, seconds: seconds)
        guard result.failures == 0 else { throw BenchFailed("\(result.failures) answers of \(process.name) failed") }
        let spent = ProcessorTime.of(process.pid) - before
        return Turn(
            rate: result.requestsPerSecond,
            processorMicroseconds: spent * 1_000_000 / (result.requestsPerSecond * Double(seconds)), p99: result.p99)
    }

    private static func line(
        _ what: String, _ value: Double, _ bar: Double, _ format: (Double) -> String, reached: Bool
    ) -> String {
        "Gateway, \(what): \(format(value)) (at most \(format(bar)))\(reached ? "" : "  MISSED")"
    }

    private static func ratio(_ value: Double) -> String { String(format: "%.2f", value) }

    private static let user = "085e8bbf-4430-4df8-9233-8269b52bd4bf"

    /// What a profile looks like, without line breaks.
    private static let profile =
        #"{"id":"\#(user)","first_name":"Cam","last_name":"Newton","email":"test@test.com","email_verified":true,"#
        + #""email_notifications":false,"phone":null,"phone_verified":false,"profile_image":null,"is_active":false,"#
        + #""email_pending":null,"phone_pending":null,"payment_verified":false,"timezone":"America/Chicago","#
        + #""created":"2016-11-16T15:56:56.179930Z","updated":"2016-11-16T15:59:09.189275Z"}"#
}
