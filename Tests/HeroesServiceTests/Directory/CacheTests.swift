import Foundation
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import HeroesService

@Suite("What the directory keeps")
struct CacheTests {
    @Test("What was acknowledged is in the very next request, at every replica")
    func nextRequest() async throws {
        try await RunningHeroes.with(.init(replicas: 2)) { app in
            let hero = try await app.hero()
            for round in 0..<20 {
                let (here, there) = (round % 2, 1 - round % 2)
                #expect(try await app.decide("accept", hero, replica: here).status == 200)
                #expect(try await app.list(replica: there).ids == [hero.heroID])
                #expect(try await app.list(replica: here).integer("count") == 1)
                #expect(try await app.send(.GET, "/\(hero.slug)", replica: there).status == 200)
                let patch = try await app.send(
                    .PATCH, "/profile", #"{"title":"Round \#(round)"}"#, as: hero.user, replica: there)
                #expect(patch.status == 200)
                #expect(try await app.send(.GET, "/\(hero.heroID)", replica: here).text("title") == "Round \(round)")
                #expect(try await app.list(replica: there).results.first?["title"] == .string("Round \(round)"))
                #expect(try await app.decide("decline", hero, replica: there).status == 200)
                #expect(try await app.list(replica: here).ids == [])
                #expect(try await app.send(.GET, "/\(hero.slug)", replica: here).status == 404)
            }
        }
    }

    @Test("Under a storm of readers a change is never unseen by who comes after it")
    func storm() async throws {
        try await RunningHeroes.with(.init(replicas: 2)) { app in
            let hero = try await app.acceptedHero()
            let acknowledged = Shared(0)
            let isDone = Shared(false)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reader in 0..<16 {
                    group.addTask {
                        while !isDone.value {
                            let least = acknowledged.value
                            let path = reader.isMultiple(of: 4) ? "/\(hero.slug)" : "/"
                            let answer = try await app.send(.GET, path, replica: reader % 2)
                            let shown = answer["results"] == nil ? answer.members : answer.results.first ?? [:]
                            let rate = Int(shown["rate_in_cents"]?.integer ?? -1)
                            #expect(rate >= least || rate == 100 && least == 0)
                        }
                    }
                }
                for round in 1...60 {
                    let body = #"{"rate_in_cents":\#(round + 100)}"#
                    let answer = try await app.send(.PATCH, "/profile", body, as: hero.user, replica: round % 2)
                    #expect(answer.status == 200)
                    acknowledged.value = round + 100
                }
                isDone.value = true
                try await group.waitForAll()
            }
        }
    }

    @Test("A check counts for those who came before it, and is made once for all of them")
    func checks() async throws {
        let gate = Gate()
        let asked = Shared(0)
        let check = EditionCheck(ask: {
            let number = asked.add(1)
            await gate.pass()
            return Edition(version: Int64(number), moved: 0, pruned: 0, counts: [:])
        })
        async let first = check.current()
        try await eventually("the first question") { asked.value == 1 }
        // These come while it is under way: the next one is theirs.
        let others = (0..<100).map { _ in Task { try await check.current() } }
        try await eventually("all wait") { check.waiting == 100 }
        gate.open()
        #expect(try await first.version == 1)
        for other in others { #expect(try await other.value.version == 2) }
        #expect(asked.value == 2)
    }

    @Test("Memory is bounded, and an answer of another edition is never given")
    func bounded() async throws {
        let cache = DirectoryCache(maximumCost: 10_000)
        let made = Shared(0)
        func ask(_ id: Int64, from version: Int64, makes edition: Int64) async throws -> Int {
            let before = made.value
            _ = try await cache.answer(.hero(.id(id)), from: version) {
                made.add(1)
                return .init(answer: DirectoryAnswer(.init(repeating: 32, count: 1000)), version: edition)
            }
            return made.value - before
        }
        #expect(try await ask(1, from: 1, makes: 1) == 1)
        #expect(try await ask(1, from: 1, makes: 1) == 0)
        #expect(try await ask(1, from: 2, makes: 2) == 1)
        for id in 2...50 { _ = try await ask(Int64(id), from: 2, makes: 2) }
        #expect(cache.cost <= 10_000)
        // The database is another and lacks the last commits: what came from them goes.
        cache.directory(isAt: Edition(version: 5, moved: 0, pruned: 0, counts: [:]))
        #expect(try await ask(99, from: 5, makes: 6) == 1)
        #expect(try await ask(99, from: 5, makes: 6) == 0)
        cache.directory(isAt: Edition(version: 4, moved: 0, pruned: 0, counts: [:]))
        #expect(try await ask(99, from: 4, makes: 4) == 1)
    }

    @Test("An edition that went with its database is asked for once, and is for later")
    func lostEdition() async throws {
        let cache = DirectoryCache()
        let made = Shared(0)
        await #expect(throws: Problem.unavailable()) {
            try await cache.answer(.hero(.id(1)), from: 5) {
                if made.add(1) > 1 { throw TestFailure("asked again") }
                return .init(answer: nil, version: 4)
            }
        }
        #expect(made.value == 1)
    }
}

/// Keeps everybody until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func pass() async {
        await withCheckedContinuation { continuation in
            let passes = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if passes { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// A value that several tasks look at and change.
final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { state = Mutex(value) }

    var value: Value {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

extension Shared<Int> {
    /// - Returns: the sum.
    @discardableResult
    func add(_ number: Int) -> Int {
        state.withLock { value in
            value += number
            return value
        }
    }
}
