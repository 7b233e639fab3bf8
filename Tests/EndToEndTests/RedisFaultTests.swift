import NIOHTTP1
import TestKit
import Testing

@Suite("Redis breaks under load") struct RedisFaultTests {
    private static let profile = "/api/v1/accounts/profile"

    /// Somebody's profile, an ended token, a made-up one and an anonymous request, for ever.
    private static func load(_ stack: RunningStack, live: [String], ended: String)
        -> [@Sendable (Load) async throws -> Void]
    {
        let madeUp = String(repeating: "0123456789abcdef", count: 2)
        var requests: [@Sendable (Load) async throws -> Void] = live.map { token in
            { load in
                // 503 is honest while nobody can say whose the token is; 403 would log its owner out.
                load.note("live", try await stack.client.ask(.GET, profile, token: token), allowed: [200, 503])
            }
        }
        requests.append { load in
            load.note("ended", try await stack.client.ask(.GET, profile, token: ended), allowed: [403, 503])
        }
        requests.append { load in
            load.note("made up", try await stack.client.ask(.GET, profile, token: madeUp), allowed: [403, 503])
        }
        requests.append { load in
            load.note("no token", try await stack.client.ask(.GET, profile), allowed: [403])
        }
        requests.append { load in
            load.note("anonymous", try await stack.client.ask(.POST, "/api/v1/accounts/login", "{}"), allowed: [400])
        }
        return requests
    }

    /// Waits until owners of live tokens are served, many times in a row.
    private static func served(_ load: Load, _ when: String) async throws {
        load.reset()
        try await eventually(within: .seconds(20), "profiles served \(when)") {
            (load.statuses("live")[200] ?? 0) >= 20 && (load.statuses("anonymous")[400] ?? 0) >= 20
        }
    }

    @Test func `nobody is logged out and no ended token comes back when it is flushed, stopped, frozen or killed`()
        async throws
    {
        let stack = try await RunningStack.start()
        let person = try await stack.person(verified: true)
        let ended = try await stack.login(person)
        let redis = stack.redis
        let answers = [
            try await stack.client.ask(.GET, Self.profile, token: ended).status,
            try await stack.client.ask(.DELETE, "/api/v1/accounts/logout", token: ended).status,
        ]
        #expect(answers == [200, 204])

        let load = try await Load.run(
            Self.load(stack, live: [person.token, try await stack.login(person)], ended: ended)
        ) { load in
            try await Self.served(load, "at first")
            for _ in 0..<3 { try await redis.cli("FLUSHALL") }
            try await Self.served(load, "after FLUSHALL")
            try await redis.stop()
            try await Self.served(load, "without Redis")
            try await redis.start()
            try await Self.served(load, "with Redis again")
            redis.freeze()
            try await Self.served(load, "while Redis is frozen")
            redis.thaw()
            try await Self.served(load, "after it")
            try await redis.kill9()
            try await Self.served(load, "after a kill")
            try await redis.start()
            try await Self.served(load, "at last")
        }
        #expect(load.violations == [])
        try await stack.end()
    }

    @Test func `a token ended after a snapshot stays ended when Redis comes back from that snapshot`() async throws {
        let stack = try await RunningStack.start()
        let person = try await stack.person(verified: true)
        let token = try await stack.login(person)
        #expect(try await stack.client.ask(.GET, Self.profile, token: token).status == 200)
        try await stack.redis.cli("SAVE")
        #expect(try await stack.client.ask(.DELETE, "/api/v1/accounts/logout", token: token).status == 204)

        let load = try await Load.run(Self.load(stack, live: [person.token], ended: token)) { load in
            try await Self.served(load, "at first")
            try await stack.redis.kill9()
            try await stack.redis.start()
            #expect(try await stack.redis.cli("DBSIZE") != "0", "the snapshot was not read")
            try await Self.served(load, "from the snapshot")
        }
        #expect(load.violations == [])
        try await stack.end()
    }

    @Test func `what is ended while Redis is away is never answered as done before Redis knows`() async throws {
        let stack = try await RunningStack.start()
        let person = try await stack.person(verified: true)
        let tokens = [try await stack.login(person), try await stack.login(person)]
        for token in tokens { #expect(try await stack.client.ask(.GET, Self.profile, token: token).status == 200) }

        stack.redis.freeze()
        let answer = try await stack.client.ask(.DELETE, "/api/v1/accounts/logout", token: tokens[0])
        #expect(answer.status == 503)
        #expect(!answer.headers["retry-after"].isEmpty)
        stack.redis.thaw()
        // The row is gone and the rest follows by itself.
        try await eventually("the end of the token") {
            try await stack.client.ask(.GET, Self.profile, token: tokens[0]).status == 403
        }
        #expect(try await stack.client.ask(.GET, Self.profile, token: tokens[1]).status == 200)
        try await stack.end()
    }
}
