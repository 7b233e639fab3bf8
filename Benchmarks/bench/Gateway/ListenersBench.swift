import Foundation
import Identity
import Logging
import NIOPosix
import Redis
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit

/// Thousands of streams of live events on one gateway: what they cost while nothing happens, and how long an event takes
/// to all of them.
enum ListenersBench {
    private static let memoryBar = 200.0
    private static let rounds = 5

    /// - Parameter count: streams, each of a user of its own.
    static func run(count: Int) async throws {
        try raiseDescriptorLimit(to: count + 200)
        let redis = try await TestRedis.start()
        let secret = UUID().uuidString + UUID().uuidString
        let (quiet, busy) = (Ledger(try freePort()), Ledger(try freePort()))
        let seal = IdentitySeal(try SecretKey(secret))
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let client = RedisClient(
            try RedisConfiguration(url: redis.url, name: "bench"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: logger)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [client, quiet.service(seal), busy.service(seal)], logger: logger))
        let running = Task { try await group.run() }
        let gateway = try await BenchedGateway.start(
            redis: redis, servicePort: quiet.port, settings: ["CALLS_URL": "http://127.0.0.1:\(busy.port)"],
            secret: secret)
        let users = try await signIn(count, client, secret: secret)
        let before = memory(gateway)

        let heard = Listener.Heard()
        let start = ContinuousClock.now
        let listeners = try await open(users.map(\.token), gateway, heard)
        try await eventually(within: .seconds(60), "all streams to begin") { heard.begun == count }
        let opened = (ContinuousClock.now - start) / .seconds(1)
        print(
            String(format: "Listeners: %d streams open after %.1f s; resident before: %.1f MB", count, opened, before))
        // Longer than the time between two signs of life, so that each has been written to.
        var most = memory(gateway)
        for _ in 0..<20 {
            // A sample each second: what is measured is a time of rest.
            try await Task.sleep(for: .seconds(1))
            most = max(most, memory(gateway))
        }
        guard heard.ended == 0 else { throw BenchFailed("\(heard.ended) streams have ended") }
        print(
            String(
                format: "Listeners: resident memory of the gateway with %d idle ones: %.1f MB (at most %.0f)", count,
                most, memoryBar)
                + (most <= memoryBar ? "" : "  MISSED"))

        let all = try await times(heard, count) { try await busy.publish(to: users.map(\.id), client) }
        print(
            String(
                format: "An event to all %d: median %.0f ms, most %.0f ms", count, all[all.count / 2],
                all[all.count - 1]))
        let one = try await times(heard, 1) { try await busy.publish(to: [users[count / 2].id], client) }
        print(
            String(
                format: "An event to one of them: median %.1f ms, most %.1f ms", one[one.count / 2], one[one.count - 1])
        )
        print(String(format: "Listeners: resident memory after that: %.1f MB", memory(gateway)))
        guard heard.ended == 0 else { throw BenchFailed("\(heard.ended) streams have ended") }

        for listener in listeners { listener.close() }
        try await gateway.process.terminate()
        await group.triggerGracefulShutdown()
        try await running.value
        try await redis.stop()
    }

    /// Milliseconds from before an event is published until the last of `count` listeners has read it, in order.
    private static func times(_ heard: Listener.Heard, _ count: Int, _ publish: () async throws -> Void) async throws
        -> [Double]
    {
        var times: [Double] = []
        for _ in 0..<rounds {
            let goal = heard.events + count
            let start = ContinuousClock.now
            try await publish()
            try await eventually(within: .seconds(30), "an event at \(count) listeners") { heard.events == goal }
            times.append((heard.last - start) / .milliseconds(1))
        }
        return times.sorted()
    }

    private static func open(_ tokens: [String], _ gateway: BenchedGateway, _ heard: Listener.Heard) async throws
        -> [Listener]
    {
        var listeners: [Listener] = []
        var rest = tokens[...]
        while !rest.isEmpty {
            let some = rest.prefix(200)
            rest = rest.dropFirst(200)
            listeners += try await withThrowingTaskGroup(of: Listener.self) { group in
                for token in some {
                    group.addTask { try await Listener.open(port: gateway.port, token: token, heard: heard) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        return listeners
    }

    /// What accounts would write into Redis, for so many users.
    private static func signIn(_ count: Int, _ client: RedisClient, secret: String) async throws -> [(
        id: UUID, token: String
    )] {
        let key = try SecretKey(secret)
        let expires = Int64(Date.now.timeIntervalSince1970) + 86_400
        var users: [(id: UUID, token: String)] = []
        for number in 1...count {
            let (user, token) = (UUID(), Token.random())
            let record = TokenRecord(
                userID: user, flags: [.emailVerified], tokenID: Int64(number), version: 1, expires: expires)
            let hash = key.hash(of: token)
            _ = try await client.send(keyed: {
                ["SET", TokenRecord.redisKey(serverRunID: $0, hash: hash), record.text]
            })
            users.append((user, token.secret))
        }
        return users
    }

    private static func memory(_ gateway: BenchedGateway) -> Double {
        Double(gateway.process.residentMemory ?? 0) / 1_048_576
    }

    /// Each stream is a descriptor here, and one in the gateway, which raises its own limit.
    private static func raiseDescriptorLimit(to needed: Int) throws {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { throw BenchFailed("the limit of open files can't be read") }
        guard limit.rlim_max >= rlim_t(needed) else {
            throw BenchFailed("\(needed) open files are needed, this machine allows \(limit.rlim_max)")
        }
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else { throw BenchFailed("the limit of open files can't be raised") }
    }
}

/// A service as far as a gateway asks for its events.
private final class Ledger: Sendable {
    let port: Int
    private let events = Mutex<[String]>([])

    init(_ port: Int) { self.port = port }

    func service(_ seal: IdentitySeal) -> HTTPService {
        let route = Route(.get, "/internal/v1/events", access: .service(["gateway"])) { request in
            let after = Int(try request.query.integer("after", 0 ... .max) ?? 0)
            return self.events.withLock { events in
                let list = events.dropFirst(after).prefix(5).joined(separator: ",")
                let page =
                    #"{"head":\#(events.count),"oldest":1,"pruned":false,"last":null,"events":[\#(list)]}"#
                return .json(.ok, .init(string: page))
            }
        }
        return HTTPService(port: port, routes: [route], seal: seal)
    }

    /// Into the ledger, then told.
    func publish(to users: [UUID], _ redis: RedisClient) async throws {
        let envelope = events.withLock { events in
            let recipients = users.map { "\"\($0.uuidString.lowercased())\"" }.joined(separator: ",")
            let envelope = """
                {"specversion":"1.0","id":"\(UUID().uuidString.lowercased())","source":"calls",\
                "type":"call.requested","subject":"1","time":"2026-01-01T00:00:00.000000Z",\
                "datacontenttype":"application/json","data":{"id":1,"status":"o"},"position":\(events.count + 1),\
                "recipients":[\(recipients)]}
                """
            events.append(envelope)
            return envelope
        }
        _ = try await redis.send(["PUBLISH", "techheroes.calls", "\(envelope)"])
    }
}
