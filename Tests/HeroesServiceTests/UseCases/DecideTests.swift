import Foundation
import Identity
import Logging
import ServiceKit
import Testing

@testable import HeroesService

@Suite("Review")
struct DecideTests {
    @Test("Staff accepts: the hero is in the directory, the decision is told and kept")
    func accept() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            app.clock.advance(by: .seconds(60))
            let answer = try await app.decide("accept", hero)
            #expect(answer.status == 200)
            #expect(Set(answer.members.keys) == ["user", "hero", "accepted", "timestamp"])
            #expect(answer.text("user") == RunningHeroes.staff.id.uuidString.lowercased())
            #expect(answer.integer("hero") == hero.heroID && answer["accepted"] == .bool(true))
            #expect(answer.text("timestamp") == app.clock.now.rfc3339)
            #expect(try await app.list().ids == [hero.heroID])
            #expect(
                try await app.sql("SELECT decision, decided_by FROM heroes.decisions")
                    == "accept|\(RunningHeroes.staff.id.uuidString.lowercased())")
        }
    }

    @Test("A decision made again answers what stands, and tells nobody")
    func again() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let first = try await app.decide("accept", hero)
            app.clock.advance(by: .seconds(60))
            let other = Claims.User.of(UUID(), [.staff])
            let second = try await app.send(.POST, "/accept", #"{"hero_id":"\#(hero.heroID)"}"#, as: other)
            #expect(second.status == 200 && second.members == first.members)
            #expect(try await app.sql("SELECT count(*) FROM heroes.decisions") == "1")
            #expect(
                try await app.sql("SELECT string_agg(type, ' ' ORDER BY id) FROM heroes.outbox")
                    == "hero.applied hero.accepted")
        }
    }

    @Test("A pending hero can be declined, a declined one accepted, an accepted one declined")
    func every() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            for decision in ["decline", "accept", "decline"] {
                let answer = try await app.decide(decision, hero)
                #expect(answer.status == 200 && answer["accepted"] == .bool(decision == "accept"))
                #expect(try await app.list().ids == (decision == "accept" ? [hero.heroID] : []))
                #expect(try await app.send(.GET, "/\(hero.slug)").status == (decision == "accept" ? 200 : 404))
            }
            #expect(
                try await app.sql("SELECT string_agg(decision, ' ' ORDER BY id) FROM heroes.decisions")
                    == "decline accept decline")
        }
    }

    @Test("Operators see who decided what, and when")
    func history() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let staff = RunningHeroes.staff.id.uuidString.lowercased()
            var lines: [String] = []
            for decision in ["decline", "accept", "decline"] {
                app.clock.advance(by: .seconds(60))
                _ = try await app.decide(decision, hero)
                lines.append("\(app.clock.now.rfc3339)\t\(decision)\t\(staff)")
            }
            _ = try await app.decide("accept", try await app.hero())
            let settings = try RunningHeroes.makeSettings(
                app.postgres.uri(database: app.database), app.redis.url, [:])
            let list = HeroList(settings, logger: Logger(label: "list"))
            #expect(try await list.decisions(of: hero.heroID) == lines)
            #expect(try await list.decisions(of: 99) == [])
        }
    }

    @Test("Ten at once accept one hero once")
    func race() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await app.send(
                            .POST, "/accept", #"{"hero_id":\#(hero.heroID)}"#, as: .of(UUID(), [.staff]))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(Set(answers.map { $0.text("user") }).count == 1)
            #expect(try await app.sql("SELECT count(*) FROM heroes.decisions") == "1")
            #expect(try await app.sql("SELECT count(*) FROM heroes.outbox WHERE type = 'hero.accepted'") == "1")
        }
    }

    @Test("Only staff decides, whatever the body", arguments: ["accept", "decline"])
    func access(decision: String) async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let body = #"{"hero_id":\#(hero.heroID)}"#
            let nobody = try await app.send(.POST, "/\(decision)", body)
            #expect(nobody.status == 403 && nobody.text("code") == "not_authenticated")
            for body in [body, "{}", "{"] {
                let answer = try await app.send(.POST, "/\(decision)", body, as: hero.user)
                #expect(answer.status == 403 && answer.text("code") == "permission_denied")
            }
            #expect(try await app.sql("SELECT state FROM heroes.heroes") == "pending")
        }
    }

    @Test("What is no hero's id is named", arguments: ["accept", "decline"])
    func badIDs(decision: String) async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let values = [
                "null", "true", "[]", "{}", "0", "-1", "1.5", "99", "9223372036854775808", #""""#, #""x""#, #""-1""#,
                #""+1""#, #"" 1""#, #""1.0""#, #""99""#, #""9223372036854775808""#, #""\#(UUID())""#, #""1\u0000""#,
            ]
            for value in values {
                let answer = try await app.send(
                    .POST, "/\(decision)", #"{"hero_id":\#(value)}"#, as: RunningHeroes.staff)
                #expect(answer.status == 400 && answer.badFields == ["hero_id"], "\(value): \(answer)")
            }
            let missing = try await app.send(.POST, "/\(decision)", "{}", as: RunningHeroes.staff)
            #expect(missing.status == 400 && missing.badFields == ["hero_id"])
            let text = try await app.send(
                .POST, "/\(decision)", #"{"hero_id":"\#(hero.heroID)"}"#, as: RunningHeroes.staff)
            #expect(text.status == 200 && text.integer("hero") == hero.heroID)
        }
    }
}
