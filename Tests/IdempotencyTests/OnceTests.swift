import Identity
import Postgres
import ServiceKit
import Testing

@testable import Idempotency

@Suite struct OnceTests {
    @Test func `The same request with one key takes effect once and is answered the same`() async throws {
        try await Shop.with { shop async throws in
            let first = try await shop.send(key: "k-1")
            #expect(first.status == 201 && first.type == "application/json" && first.cache == "no-store")
            for _ in 0..<3 { #expect(try await shop.send(key: "k-1") == first) }
            // With and without a slash at its end a path is the same.
            #expect(try await shop.send(.post, "/sales/", key: "k-1") == first)
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `Without a key every request takes effect and nothing is kept`() async throws {
        try await Shop.with { shop async throws in
            let first = try await shop.send(key: nil)
            let second = try await shop.send(key: nil)
            #expect(first.status == 201 && second.status == 201 && first != second)
            #expect(try await shop.sales() == 2)
            #expect(try await shop.kept() == 0)
        }
    }

    @Test func `Another body, path or method with the key is refused`() async throws {
        try await Shop.with { shop async throws in
            #expect(try await shop.send(key: "k").status == 201)
            #expect(try await shop.send(key: "k", body: #"{"a":2}"#).has(.idempotencyKeyReused))
            #expect(try await shop.send(.patch, "/sales", key: "k").has(.idempotencyKeyReused))
            #expect(try await shop.send(.post, "/returns", key: "k").has(.idempotencyKeyReused))
            #expect(try await shop.send(.post, "/sales?x=1", key: "k").has(.idempotencyKeyReused))
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `Keys of one caller say nothing to another`() async throws {
        try await Shop.with { shop async throws in
            let cam = Claims.someone()
            let answers = [
                try await shop.send(key: "k", as: cam), try await shop.send(key: "k", as: .someone()),
                try await shop.send(key: "k", body: #"{"a":2}"#, as: .someone()),
                try await shop.send(key: "k", as: .anonymous),
            ]
            #expect(answers.allSatisfy { $0.status == 201 } && Set(answers).count == 4)
            #expect(try await shop.send(key: "k", as: cam) == answers[0])
            // What a user is changes; who asks stays the same.
            guard case .user(var user) = cam else { return }
            user.flags = [.emailVerified]
            user.tokenID = 99
            #expect(try await shop.send(key: "k", as: .user(user)) == answers[0])
        }
    }

    @Test(arguments: ["", String(repeating: "k", count: 256), "caf\u{E9}", "a\tb"])
    func `A key that is none is refused`(_ key: String) async throws {
        try await Shop.with { shop async throws in
            #expect(try await shop.send(key: key).has(.badRequest), "\(key)")
            #expect(try await shop.sales() == 0)
        }
    }

    @Test(arguments: ["k", "two words", "~!\"#", String(repeating: "k", count: 255)])
    func `Any printable text is a key`(_ key: String) async throws {
        try await Shop.with { shop async throws in
            #expect(try await shop.send(key: key).status == 201)
            #expect(try await shop.send(key: key).status == 201)
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `What was refused is not kept`() async throws {
        let refusals = Countdown(2)
        try await Shop.with(.init(inside: { _ in if refusals.next() { throw Problem(.conflict) } })) {
            shop async throws in
            #expect(try await shop.send(key: "k").status == 409)
            #expect(try await shop.send(key: "k").status == 409)
            #expect(try await shop.kept() == 0)
            #expect(try await shop.send(key: "k").status == 201)
            #expect(try await shop.send(key: "k").status == 201)
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `What was answered is answered again though it would be refused by now`() async throws {
        let acceptances = Countdown(1)
        try await Shop.with(.init(early: { _ in if !acceptances.next() { throw Problem(.invalid) } })) {
            shop async throws in
            let first = try await shop.send(key: "k")
            #expect(first.status == 201)
            #expect(try await shop.send(key: "k") == first)
            #expect(try await shop.send(key: "other").status == 400)
        }
    }

    @Test func `A reply lost after the commit is told to who asks again`() async throws {
        let losses = Countdown(1)
        let late: @Sendable (Shop) async throws -> Void = { _ in
            if losses.next() { throw PostgresError(.outcomeUnknown) }
        }
        try await Shop.with(.init(late: late)) { shop async throws in
            #expect(try await shop.send(key: "k").has(.temporarilyUnavailable))
            let again = try await shop.send(key: "k")
            #expect(again.status == 201 && again.body.contains("secret-1"))
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `What must be so before an answer is given again can refuse`() async throws {
        let away = Countdown(1)
        let steps = Shop.Steps(beforeReplay: { if away.next() { throw Problem.unavailable() } })
        try await Shop.with(steps) { shop async throws in
            let first = try await shop.send(key: "k")
            #expect(try await shop.send(key: "k").status == 503)
            #expect(try await shop.send(key: "k") == first)
        }
    }

    @Test func `After a day a key is as new, and its answer goes`() async throws {
        try await Shop.with { shop async throws in
            let first = try await shop.send(key: "k")
            shop.clock.advance(by: .seconds(24 * 3600 - 1))
            #expect(try await shop.send(key: "k") == first)
            try await shop.idempotency.clean(shop.postgres)
            #expect(try await shop.kept() == 1)
            shop.clock.advance(by: .seconds(1))
            let second = try await shop.send(key: "k", body: #"{"a":2}"#)
            #expect(second.status == 201 && second != first)
            shop.clock.advance(by: .seconds(24 * 3600))
            try await shop.sql(
                """
                INSERT INTO shop.idempotency_keys (key, request, answer, created)
                SELECT sha256(n::text::bytea), '', '', now() - interval '2 days' FROM generate_series(1, 2500) n
                """)
            try await shop.idempotency.clean(shop.postgres)
            #expect(try await shop.kept() == 0)
            #expect(try await shop.sales() == 2)
        }
    }

    @Test func `Neither key nor answer can be read from the table`() async throws {
        try await Shop.with { shop async throws in
            let caller = Claims.someone()
            let first = try await shop.send(key: "my-own-key", as: caller)
            _ = try await shop.send(key: "my-other-key", as: caller)
            #expect(first.body.contains("secret-1"))
            let rows = try await shop.sql(
                """
                SELECT encode(key, 'escape') || encode(request, 'escape') || encode(answer, 'escape')
                FROM shop.idempotency_keys
                """)
            for text in ["secret", "token", "my-own", "no-store", "sales"] { #expect(!rows.contains(text), "\(text)") }
            // An answer in another row opens for nobody.
            try await shop.sql(
                """
                UPDATE shop.idempotency_keys k SET answer = o.answer
                FROM shop.idempotency_keys o WHERE o.key <> k.key
                """)
            #expect(try await shop.send(key: "my-own-key", as: caller).has(.internal))
            #expect(try await shop.sales() == 2)
        }
    }
}
