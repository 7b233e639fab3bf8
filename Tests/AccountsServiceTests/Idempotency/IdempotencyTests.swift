import Foundation
import Identity
import NIOCore
import NIOPosix
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

@Suite("Requests with an Idempotency-Key")
struct IdempotencyTests {
    @Test("Every POST and PATCH of clients is among the cases, and documents the key")
    func whole() async throws {
        let document = try OpenAPIDocument.load()
        try await RunningAccounts.with { app in
            let routes = app.table.routes.filter {
                $0.path.hasPrefix("/api/") && [.post, .patch].contains($0.method) && $0.accepts == .json
            }
            #expect(
                Set(routes.map { String($0.path.split(separator: "/").last ?? "") })
                    == Set(KeyedCase.all.map(\.testDescription)))
            for route in routes {
                let details = document.operations[.init(method: route.method.rawValue, path: route.path)]
                #expect(details?.parameters.contains("IdempotencyKey") == true, "\(route)")
                #expect(details?.statuses.contains(422) == true, "\(route)")
            }
        }
    }

    @Test(
        "Asked again, it is answered the same and nothing happens twice; another body with the key is refused",
        arguments: KeyedCase.all)
    func again(route: KeyedCase) async throws {
        try await RunningAccounts.with { app in
            let asking = try await route.prepare(app)
            let first = try await app.send(asking, key: "k")
            #expect(first.status == route.success, "\(first)")
            for slash in [false, true] {
                let answer = try await app.send(asking, key: "k", slash: slash)
                #expect(answer.status == first.status && answer.body == first.body, "\(answer)")
                for name in ["content-type", "cache-control"] { #expect(answer.headers[name] == first.headers[name]) }
            }
            for body in [asking.other, "{}"] {
                let answer = try await app.send(asking, key: "k", body: body)
                #expect(answer.status == 422 && answer.text("code") == "idempotency_key_reused", "\(answer)")
            }
            #expect(try await app.effects(asking) == "1")
        }
    }

    @Test("Sixteen at once are one, and all get its answer", arguments: KeyedCase.all)
    func atOnce(route: KeyedCase) async throws {
        try await RunningAccounts.with { app in
            let asking = try await route.prepare(app)
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<16 { group.addTask { try await app.send(asking, key: "k") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status) == Array(repeating: route.success, count: 16))
            #expect(Set(answers.map(\.body)).count == 1)
            #expect(try await app.effects(asking) == "1")
        }
    }

    @Test("Another one's key is another key", arguments: KeyedCase.all.filter { !$0.isPublic })
    func otherCaller(route: KeyedCase) async throws {
        try await RunningAccounts.with { app in
            let (mine, theirs) = (try await route.prepare(app), try await route.prepare(app))
            #expect(try await app.send(mine, key: "k").status == route.success)
            let answer = try await app.send(theirs, key: "k")
            #expect(answer.status == route.success, "\(answer)")
            #expect(try await app.effects(mine) == "1")
            #expect(try await app.effects(theirs) == "1")
        }
    }

    @Test("A reply cut off after the commit and asked for again has no second effect", arguments: KeyedCase.all)
    func cutOff(route: KeyedCase) async throws {
        try await RunningAccounts.with { app in
            let asking = try await route.prepare(app)
            let path = RunningAccounts.path + asking.path
            let claims = try await app.claims(of: asking.token)
            let signed = IdentitySeal(try SecretKey(RunningAccounts.secret)).sign(
                claims, method: asking.method.rawValue, path: path, now: WallClock.seconds)
            let request = """
                \(asking.method.rawValue) \(path) HTTP/1.1\r\nhost: accounts\r\nidempotency-key: k\r
                content-type: application/json\r\ncontent-length: \(asking.body.utf8.count)\r
                \(Claims.headerName): \(signed)\r\n\r\n\(asking.body)
                """
            // The client is gone before the answer is there.
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: app.port).get()
            try await channel.writeAndFlush(ByteBuffer(string: request))
            try await channel.close()
            try await eventually("the effect") { try await app.effects(asking) == "1" }
            let answer = try await app.send(asking, key: "k")
            #expect(answer.status == route.success, "\(answer)")
            #expect(try await app.effects(asking) == "1")
        }
    }

    @Test("Who guesses a key but not the request learns nothing of its answer")
    func stranger() async throws {
        try await RunningAccounts.with { app in
            let email = RunningAccounts.address()
            let headers = [("idempotency-key", "1")]
            let registration = RunningAccounts.registration(email: email)
            let answer = try await app.send(.POST, "/register", registration, headers: headers)
            let token = try #require(answer.text("token"))
            for body in ["{}", RunningAccounts.registration(email: email, password: "password2")] {
                for path in ["/register", "/login"] {
                    let guess = try await app.send(.POST, path, body, headers: headers)
                    #expect(guess.status == 422 && !guess.description.contains(token))
                }
            }
            // The same words, but from somebody who is signed in: theirs is another key.
            let other = try await app.register()
            let taken = try await app.send(.POST, "/register", registration, token: other.token, headers: headers)
            #expect(taken.status == 409)
        }
    }

    @Test("Neither the key nor the answer can be read at rest")
    func sealed() async throws {
        try await RunningAccounts.with { app in
            let answer = try await app.send(
                .POST, "/register", RunningAccounts.registration(), headers: [("idempotency-key", "a-key-of-mine")])
            let token = try #require(answer.text("token"))
            let id = try #require(answer.text("id"))
            #expect(try await app.sql("SELECT count(*) FROM accounts.idempotency_keys WHERE answer <> ''") == "1")
            for secret in [token, id, "a-key-of-mine"] {
                let found = try await app.sql(
                    """
                    SELECT count(*) FROM accounts.idempotency_keys
                    WHERE position(convert_to('\(secret)', 'UTF8') IN key || request || answer) > 0
                    """)
                #expect(found == "0")
                #expect(!app.log.text.contains(secret) || secret == id)
            }
        }
    }

    @Test("A wrong code counts each time it comes, and is not what a later try is answered")
    func wrongCode() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.register()
            let code = try await app.mailedCode(to: person.email, "verify-email")
            let wrong = String(code.map { $0 == "a" ? "b" : "a" })
            func verify(_ code: String) async throws -> Answer {
                try await app.send(
                    .POST, "/verify-email", #"{"token":"\#(code)"}"#, token: person.token,
                    headers: [("idempotency-key", "k")])
            }
            for tries in 1...2 {
                #expect(try await verify(wrong).status == 404)
                #expect(try await app.sql("SELECT tries FROM accounts.codes WHERE purpose = 'email'") == "\(tries)")
            }
            #expect(try await verify(code).status == 200)
            #expect(try await verify(wrong).status == 422)
        }
    }

    @Test("After a day a key is forgotten")
    func lifetime() async throws {
        try await RunningAccounts.with { app in
            let person = try await app.member()
            let body = #"{"email":"\#(person.email)","password":"password1"}"#
            func login() async throws -> String? {
                try await app.send(.POST, "/login", body, headers: [("idempotency-key", "k")]).text("token")
            }
            let first = try await login()
            app.clock.advance(by: .seconds(86_399))
            #expect(try await login() == first)
            app.clock.advance(by: .seconds(1))
            let second = try await login()
            #expect(second != nil && second != first)
        }
    }

    @Test(
        "What ended tokens succeeds again only once Redis knows",
        arguments: KeyedCase.all.filter { ["change-password", "reset-password"].contains($0.testDescription) })
    func redisAway(route: KeyedCase) async throws {
        var options = RunningAccounts.Options()
        let redis = try await TestRedis.start(options: ["--appendonly", "yes"])
        options.redis = redis
        try await RunningAccounts.with(options) { app in
            let asking = try await route.prepare(app)
            let token = try #require(asking.token)
            let ended = try await app.sql(
                "SELECT id FROM accounts.auth_tokens ORDER BY id \(route.testDescription == "reset-password" ? "" : "DESC") LIMIT 1"
            )
            try await redis.stop()
            for _ in 0..<2 {
                let answer = try await app.send(asking, key: "k")
                #expect(answer.status == 503 && answer.headers.first(name: "retry-after") != nil, "\(answer)")
                #expect(try await app.effects(asking) == "1")
            }
            #expect(try await app.sql("SELECT count(*) FROM accounts.auth_tokens WHERE id = \(ended)") == "0")
            try await redis.start()
            let answer = try await eventually("Redis is heard of") {
                let answer = try await app.send(asking, key: "k")
                return answer.status == 503 ? nil : answer
            }
            #expect(answer.status == route.success)
            if route.testDescription == "reset-password" {
                #expect(try await app.redisCopy(of: token) == "revoked")
            }
            #expect(try await app.effects(asking) == "1")
        }
    }
}

extension RunningAccounts {
    /// What the gateway says of who has a token.
    func claims(of token: String?) async throws -> Claims {
        guard let token = token.flatMap({ Token($0) }) else { return .anonymous }
        let hash = try SecretKey(Self.secret).hash(of: token).hex
        let found = try await raw(.GET, "/internal/v1/tokens/\(hash)", claims: .service("gateway"))
        guard let record = TokenRecord(String(buffer: found.body)) else { return .anonymous }
        return .user(.init(id: record.userID, flags: record.flags, tokenID: record.tokenID))
    }
}
