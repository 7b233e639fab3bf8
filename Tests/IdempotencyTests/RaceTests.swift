import Postgres
import ServiceKit
import Synchronization
import Testing

@testable import Idempotency

@Suite struct RaceTests {
    @Test func `Fifty at once with one key make one effect and get one answer`() async throws {
        // The winner holds the key until others wait for it.
        let steps = Shop.Steps(inside: { try await $0.waitForWaiters(4) })
        try await Shop.with(steps) { shop async throws in
            let answers = try await shop.sendAtOnce(50, key: "k")
            #expect(answers.count == 50)
            #expect(Set(answers).count == 1 && answers.first?.status == 201, "\(Set(answers))")
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `When the winner rolls back another takes its place`() async throws {
        let refusals = Countdown(2)
        let steps = Shop.Steps(inside: { shop in
            guard refusals.next() else { return }
            try await shop.waitForWaiters(4)
            throw Problem(.conflict)
        })
        try await Shop.with(steps) { shop async throws in
            let answers = try await shop.sendAtOnce(20, key: "k")
            #expect(answers.count == 20)
            #expect(answers.filter { $0.status == 409 }.count == 2)
            let good = answers.filter { $0.status == 201 }
            #expect(good.count == 18 && Set(good).count == 1, "\(good.count) of \(Set(answers))")
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `One that is refused for what its twin has done is answered like the twin`() async throws {
        let twin = Gate()
        let isFirst = Countdown(1)
        // The first to come waits before its own checks until its twin is through, and then finds goods sold.
        let early: @Sendable (Shop) async throws -> Void = { shop in
            guard isFirst.next() else { return }
            await twin.wait()
            if try await shop.sales() > 0 { throw Problem(.conflict) }
        }
        try await Shop.with(.init(early: early)) { shop async throws in
            async let slow = shop.send(key: "k")
            while isFirst.isLeft { await Task.yield() }
            let fast = try await shop.send(key: "k")
            twin.open()
            #expect(fast.status == 201)
            #expect(try await slow == fast)
            #expect(try await shop.sales() == 1)
        }
    }

    @Test func `A transaction that commits without an answer lets go of the key`() async throws {
        try await Shop.with { shop async throws in
            // As a wrong try that has to be counted does.
            try await shop.sql("INSERT INTO shop.idempotency_keys VALUES (sha256('x'), '', NULL, now())")
            let key = try await shop.sql("SELECT 1 FROM shop.idempotency_keys WHERE answer IS NULL")
            #expect(key == "1")
            let first = try await shop.send(key: "k")
            try await shop.sql("UPDATE shop.idempotency_keys SET answer = NULL")
            let second = try await shop.send(key: "k", body: #"{"a":2}"#)
            #expect(first.status == 201 && second.status == 201 && first != second)
            #expect(try await shop.send(key: "k", body: #"{"a":2}"#) == second)
        }
    }
}

extension Shop {
    func sendAtOnce(_ count: Int, key: String) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<count { group.addTask { try await send(key: key) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

/// True as often as it was told, then false.
final class Countdown: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    var isLeft: Bool { left.withLock { $0 > 0 } }

    func next() -> Bool {
        left.withLock { left in
            left -= 1
            return left >= 0
        }
    }
}

/// Holds whoever waits until it is opened.
final class Gate: Sendable {
    private let (stream, continuation) = AsyncStream<Void>.makeStream()

    func open() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}
