import Foundation
import Identity
import NIOCore
import Redis
import Synchronization
import TestKit

@testable import GatewayService

/// Three services that publish, a Redis that carries it, and people who are signed in.
final class LiveWorld: Sendable {
    let redis: TestRedis
    let accounts: StubUpstream
    let heroes: StubUpstream
    let calls: StubUpstream
    private let client: RedisClient
    private let running: Task<Void, any Error>
    private let ledgers = Mutex<[ServiceName: [String]]>([:])
    private let taken = Mutex<[ServiceName: Int64]>([:])
    private let lastTokenID = Mutex<Int64>(0)

    /// Somebody who is signed in.
    struct Person: Sendable {
        let id: UUID
        let token: Token
        let tokenID: Int64
    }

    init() async throws {
        redis = try await TestRedis.start()
        let client = RedisClient(
            try RedisConfiguration(url: redis.url, name: "test"), eventLoop: testLoops.next(), logger: quiet)
        self.client = client
        running = Task { try await client.run() }
        accounts = try await StubUpstream.start(answering: "accounts")
        heroes = try await StubUpstream.start(answering: "heroes")
        calls = try await StubUpstream.start(answering: "calls")
        for source in ServiceName.allCases {
            stub(source).setLedger { [weak self] after in self?.page(source, after: after) ?? "{}" }
        }
    }

    deinit { running.cancel() }

    /// A command, when Redis is there.
    @discardableResult
    func command(_ command: RedisCommand) async throws -> RESPValue {
        try await eventually("an answer of Redis") { try await client.send(command) }
    }

    func stub(_ source: ServiceName) -> StubUpstream {
        switch source {
        case .accounts: accounts
        case .heroes: heroes
        case .calls: calls
        }
    }

    /// Runs a gateway in this world.
    func withGateway<Result: Sendable>(
        _ adjust: (inout RunningGateway.Setup) -> Void = { _ in }, _ body: (RunningGateway) async throws -> Result
    ) async throws -> Result {
        try await RunningGateway.with(
            accounts: [accounts.port], heroes: [heroes.port], calls: [calls.port],
            { setup in
                setup.redisURL = redis.url
                adjust(&setup)
            }
        ) { gateway in
            // Once it has begun with each ledger, nothing is the past any more.
            try await eventually("the feeds") {
                let person = try await self.signIn()
                let stream = try await gateway.listen(as: person)
                defer { Task { await stream.close() } }
                return stream.firstID.map { !$0.contains("-") } ?? false
            }
            try await eventually("its own streams gone") { gateway.listeners == 0 }
            return try await body(gateway)
        }
    }

    // MARK: Events

    /// Events of one page at most.
    let pageEvents = Atomic(200)

    private func page(_ source: ServiceName, after: Int64) -> String {
        taken.withLock { $0[source] = after }
        return ledgers.withLock { ledgers in
            let events = ledgers[source] ?? []
            let next = min(Int(clamping: after), events.count)
            // A page ends after so many bytes, as the services' own do.
            var bytes = 0
            let page = events[next...].prefix(pageEvents.load(ordering: .relaxed)).prefix { event in
                defer { bytes += event.utf8.count }
                return bytes < 512 * 1024
            }
            return """
                {"head": \(events.count), "oldest": 1, "pruned": false, "last": null, \
                "events": [\(page.joined(separator: ","))]}
                """
        }
    }

    /// Whether a gateway has asked for what comes after a position, and so has taken all through there.
    func hasBeenTaken(through position: Int64, of source: ServiceName) -> Bool {
        taken.withLock { taken in taken[source].map { $0 >= position && $0 < .max - 1 } ?? false }
    }

    /// Begins a ledger anew, as a restored database would.
    func forget(_ source: ServiceName) { ledgers.withLock { $0[source] = [] } }

    /// Puts an event into the ledger.
    ///
    /// - Returns: its envelope.
    @discardableResult
    func append(
        _ type: String, from source: ServiceName = .calls, to people: [UUID], data: String = "{}"
    ) -> String {
        ledgers.withLock { ledgers in
            let position = (ledgers[source] ?? []).count + 1
            let recipients = people.map { "\"\($0.uuidString.lowercased())\"" }.joined(separator: ",")
            let envelope = """
                {"specversion":"1.0","id":"\(UUID().uuidString.lowercased())","source":"\(source)","type":"\(type)",\
                "subject":"\(position)","time":"2026-01-01T00:00:00.000000Z","datacontenttype":"application/json",\
                "data":\(data),"position":\(position),"recipients":[\(recipients)]}
                """
            ledgers[source, default: []].append(envelope)
            return envelope
        }
    }

    /// Tells whoever hears Redis.
    func ring(_ envelope: String, from source: ServiceName = .calls) async throws {
        try await command(["PUBLISH", "techheroes.\(source)", envelope])
    }

    /// What a service does: into the ledger, then told.
    func publish(
        _ type: String, from source: ServiceName = .calls, to people: [UUID], data: String = "{}"
    ) async throws {
        try await ring(append(type, from: source, to: people, data: data), from: source)
    }

    // MARK: Tokens

    func signIn(_ id: UUID = UUID()) async throws -> Person {
        let tokenID = lastTokenID.withLock { last in
            last += 1
            return last
        }
        let person = Person(id: id, token: .random(), tokenID: tokenID)
        let record = TokenRecord(
            userID: id, flags: [.emailVerified], tokenID: tokenID, version: 1,
            expires: Int64(Date.now.timeIntervalSince1970) + 3600)
        accounts.setToken(try hash(person), record.text)
        try await set(person, record.text)
        return person
    }

    /// What accounts does: its own row, then Redis.
    func revoke(_ person: Person) async throws {
        accounts.setToken(try hash(person), nil)
        try await set(person, TokenRecord.tombstone)
    }

    /// Accounts alone knows.
    func revokeInSilence(_ person: Person) throws { accounts.setToken(try hash(person), nil) }

    private func hash(_ person: Person) throws -> String { try testSecret().hash(of: person.token).hex }

    private func set(_ person: Person, _ value: String) async throws {
        let hash = try testSecret().hash(of: person.token)
        _ = try await eventually("an answer of Redis") {
            try await client.send(keyed: { ["SET", TokenRecord.redisKey(serverRunID: $0, hash: hash), value] })
        }
    }
}
