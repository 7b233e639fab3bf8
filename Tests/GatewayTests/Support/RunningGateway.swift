import Foundation
import Identity
import Logging
import NIOCore
import Redis
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

@testable import GatewayService

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A gateway in this process, on a port of its own, with its services where the test says.
struct RunningGateway: Sendable {
    let port: Int
    private let group: ServiceGroup
    private let lines: LogLines
    private let seats: LiveSeats

    /// What a test may set.
    struct Setup: Sendable {
        var limits = GatewayLimits()
        /// Nobody is there, unless the test has a Redis.
        var redisURL = "redis://127.0.0.1:1"
        var threads = 2
        var drainDelay = TimeAmount.milliseconds(0)
        /// Finds the addresses of names; nil takes the ports as they are given.
        var resolve: UpstreamDirectory.Resolve?

        init() {
            // What is done in the background, and at the end, should not take a test's time.
            limits.checkInterval = .milliseconds(50)
            limits.live.askInterval = .milliseconds(200)
            limits.resolveInterval = .milliseconds(50)
            limits.drain = .milliseconds(100)
            // A machine that stands still for a moment is no address that can't be reached.
            limits.connect = .seconds(10)
        }
    }

    static let secret = "0123456789abcdef0123456789abcdef"

    /// Runs a gateway for as long as the body does.
    ///
    /// - Parameters:
    ///   - accounts: the ports of its replicas; the same for the others. Without any, nobody is there.
    ///   - adjust: changes the setup.
    static func with<Result: Sendable>(
        accounts: [Int] = [], heroes: [Int] = [], calls: [Int] = [],
        _ adjust: (inout Setup) -> Void = { _ in }, _ body: (RunningGateway) async throws -> Result
    ) async throws -> Result {
        var setup = Setup()
        adjust(&setup)
        let origins = { (service: String, ports: [Int]) -> [UpstreamOrigin] in
            if setup.resolve != nil { return UpstreamOrigin(url: "http://\(service):80").map { [$0] } ?? [] }
            return (ports.isEmpty ? [1] : ports).compactMap { UpstreamOrigin(url: "http://127.0.0.1:\($0)") }
        }
        var settings = GatewaySettings(
            port: 0, metricsPort: 0,
            upstreams: [
                .accounts: origins("accounts", accounts), .heroes: origins("heroes", heroes),
                .calls: origins("calls", calls),
            ], redis: try RedisConfiguration(url: setup.redisURL, name: "gateway"), secret: try SecretKey(secret),
            threads: setup.threads, limits: setup.limits, drainDelay: setup.drainDelay)
        settings.host = "127.0.0.1"
        let lines = LogLines()
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let gateway = Gateway(
            settings, health: ServiceKit.Health(), log: LogWriter { lines.take($0) }, logger: quiet,
            resolve: setup.resolve
        ) { listening.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [.init(service: gateway)], logger: quiet))
        let running = Task {
            defer { listening.finish() }
            try await group.run()
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            try await running.value
            throw NotListening()
        }
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(
                try await body(RunningGateway(port: port, group: group, lines: lines, seats: gateway.seats)))
        } catch {
            outcome = .failure(error)
        }
        running.cancel()
        _ = try? await running.value
        return try outcome.get()
    }

    private struct NotListening: Error {}

    func connect() async throws -> RawConnection { try await .connect(port) }

    /// One request on a connection of its own.
    func ask(_ request: String, within: TimeAmount = .seconds(20)) async throws -> RawAnswer? {
        let connection = try await connect()
        let answer = try await connection.ask(request, within: within)
        await connection.close()
        return answer
    }

    /// What SIGTERM does.
    func shutDown() async { await group.triggerGracefulShutdown() }

    /// How many streams of events there are.
    var listeners: Int { seats.count }

    /// What the access log has.
    var log: String { lines.text }
}

/// Keeps what is logged.
final class LogLines: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    func take(_ more: UnsafeRawBufferPointer) { bytes.withLock { $0.append(contentsOf: more) } }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}
