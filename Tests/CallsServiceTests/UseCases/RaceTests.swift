import CallsDomain
import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct RaceTests {
    @Test func `Accepting and declining at once has one winner`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let tom = app.hero()
            for _ in 0..<10 {
                let id = try await app.ask(tom, as: app.person())
                let answers = try await all(Array(0..<8)) { index in
                    index.isMultiple(of: 2)
                        ? try await app.send(
                            .PATCH, "/\(id)/accept", app.times(4), as: tom.user, replica: index / 2 % 2)
                        : try await app.send(
                            .PATCH, "/\(id)/decline", #"{"reason":"no"}"#, as: tom.user, replica: index / 2 % 2)
                }
                #expect(answers.statuses == [200: 1, 400: 7], "\(answers)")
                #expect(answers.filter { $0.status == 400 }.allSatisfy { $0.has(.invalidState) })
                #expect(try await app.events(of: id).count == 2)
            }
        }
    }

    @Test func `Of agreements that overlap at once one is made, whoever the parties are to each other`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let (tom, ann) = (app.hero("Tom"), app.hero("Ann"))
            // One person: the hero of six requests and the one who asks in two.
            var moves: [(id: Int64, user: Claims.User)] = []
            for _ in 0..<6 {
                let user = app.person()
                moves.append((try await app.accepted(tom, as: user), user))
            }
            for hero in [ann, app.hero()] {
                moves.append((try await app.accepted(hero, as: tom.user), tom.user))
            }
            let agreeing = moves
            let answers = try await all(Array(agreeing.indices)) { index in
                try await app.send(
                    .PATCH, "/\(agreeing[index].id)/agreed-time", app.agreeing(4), as: agreeing[index].user,
                    replica: index % 2)
            }
            #expect(answers.statuses == [200: 1, 409: 7], "\(answers)")
            #expect(answers.filter { $0.status == 409 }.allSatisfy { $0.has(.alreadyBooked) })
            #expect(try await app.sql("SELECT count(*) FROM calls.bookings") == "2")
            #expect(
                try await app.sql("SELECT count(*) FROM calls.outbox WHERE type = 'call.time_agreed'") == "1")
            // The losers are as they were, and agree to another time.
            let loser = try #require(answers.firstIndex { $0.status == 409 })
            let again = try await app.send(
                .PATCH, "/\(agreeing[loser].id)/agreed-time", app.agreeing(8), as: agreeing[loser].user)
            #expect(again.status == 200)
        }
    }

    @Test func `Agreeing twice at once on one request has one winner`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            let answers = try await all([4, 8, 12, 4, 8, 12] as [Int64]) { time in
                try await app.send(
                    .PATCH, "/\(id)/agreed-time", app.agreeing(time), as: cam, replica: Int(time) / 4 % 2)
            }
            #expect(answers.statuses == [200: 1, 400: 5], "\(answers)")
            #expect(answers.filter { $0.status == 400 }.allSatisfy { $0.has(.invalidState) })
        }
    }

    @Test func `Calls may touch, and others' calls are no matter`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            func agreement(_ length: Int, _ first: Int64, _ hero: RunningCalls.HeroOwner) async throws -> Int {
                let user = app.person()
                let id = try await app.accepted(hero, as: user, length: length, first: first)
                return try await app.send(.PATCH, "/\(id)/agreed-time", app.agreeing(first), as: user).status
            }
            #expect(try await agreement(60, 8, tom) == 200)
            #expect(try await agreement(15, 7, tom) == 200)
            #expect(try await agreement(15, 12, tom) == 200)
            for (length, first) in [(30, 7), (120, 4), (15, 8), (15, 11), (15, 9), (120, 11)] as [(Int, Int64)] {
                #expect(try await agreement(length, first, tom) == 409, "\(length) \(first)")
            }
            #expect(try await agreement(60, 8, app.hero()) == 200)
        }
    }

    @Test func `Suggesting the same instant at once is done once`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            let answers = try await all(Array(0..<8)) { index in
                try await app.send(
                    .PATCH, "/\(id)/new-times", app.times(20), as: index < 4 ? cam : tom.user, replica: index % 2)
            }
            #expect(answers.statuses == [200: 1, 409: 7], "\(answers)")
            #expect(try await app.show(id, as: cam).list("times").count == 2)
        }
    }

    /// What the rules forbid the database refuses too, by whatever way it comes.
    @Test func `The database itself refuses what would break the rules`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.agreed(tom, as: cam)
            for statement in [
                "UPDATE calls.requests SET status = 'x'", "UPDATE calls.requests SET status = 'd'",
                "UPDATE calls.requests SET reason = 'x'", "UPDATE calls.requests SET status = 'o'",
                "UPDATE calls.requests SET estimated_length = 20", "UPDATE calls.requests SET hero_user_id = user_id",
                "INSERT INTO calls.suggested_times SELECT * FROM calls.suggested_times",
                """
                INSERT INTO calls.bookings SELECT \(id) + 0, person, during FROM calls.bookings
                """,
                """
                WITH r AS (INSERT INTO calls.requests (user_id, hero_id, hero_user_id, message, estimated_length,
                    rate_in_cents, created, updated) SELECT user_id, 1, hero_user_id, '', 15, 1, created, updated
                    FROM calls.requests RETURNING id)
                INSERT INTO calls.bookings SELECT r.id, person, tstzrange(upper(during) - interval '1 minute',
                    upper(during) + interval '1 hour') FROM calls.bookings, r
                """,
            ] {
                await #expect(throws: (any Error).self, "\(statement)") { try await app.sql(statement) }
            }
        }
    }
}
