import Foundation
import Identity
import ServiceKit
import Testing

@testable import HeroesService

@Suite("A hero's profile")
struct ProfileTests {
    @Test("It has the whole of the user's block, as accounts answers it")
    func show() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            let answer = try await app.send(.GET, "/profile", as: hero.user)
            #expect(answer.status == 200 && Set(answer.members.keys) == ApplyTests.members)
            #expect(answer["user"]?.members["email"]?.text == "tom@example.com")
            #expect(answer.headers.first(name: "cache-control") == "no-store")
            #expect(try await app.send(.GET, "/profile/", as: hero.user).members == answer.members)
        }
    }

    @Test("Nobody: 403; no hero: GET 404 and PATCH 403, whatever the body")
    func access() async throws {
        try await RunningHeroes.with { app in
            let user = Claims.User.of(app.accounts.register().id)
            #expect(try await app.send(.GET, "/profile").text("code") == "not_authenticated")
            #expect(try await app.send(.PATCH, "/profile", "{}").text("code") == "not_authenticated")
            #expect(try await app.send(.GET, "/profile", as: user).status == 404)
            for body in ["{}", #"{"title":1}"#, "{"] {
                let answer = try await app.send(.PATCH, "/profile", body, as: user)
                #expect(answer.status == 403 && answer.text("code") == "permission_denied")
            }
            let unverified = try await app.send(.PATCH, "/profile", "{}", as: .of(user.id, []))
            #expect(unverified.status == 403 && unverified.text("code") == "email_unverified")
        }
    }

    @Test("A patch changes what it mentions, and what the public sees")
    func change() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            let before = try await app.send(.GET, "/profile", as: hero.user)
            app.clock.advance(by: .seconds(5))
            let answer = try await app.send(
                .PATCH, "/profile",
                #"{"discipline":"FE","title":" React ","years_of_exp":1,"rate_in_cents":0,"slug":"x","accepted":false,"id":9}"#,
                as: hero.user)
            #expect(answer.status == 200, "\(answer)")
            var expected = before.members
            expected["discipline"] = .string("FE")
            expected["title"] = .string("React")
            expected["years_of_exp"] = .integer(1)
            expected["rate_in_cents"] = .integer(0)
            expected["updated"] = .string(app.clock.now.rfc3339)
            #expect(answer.members == expected)
            let listed = try await app.list().results.first
            #expect(listed?["title"] == .string("React") && listed?["rate_in_cents"] == .integer(0))
            #expect(try await app.list("discipline=FE").integer("count") == 1)
            #expect(try await app.list("discipline=BE").integer("count") == 0)
            #expect(try await app.list("search=react").ids == [hero.heroID])
            #expect(try await app.list("search=rest").ids == [])
        }
    }

    @Test("A patch that changes nothing changes nothing")
    func nothing() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            let before = try await app.send(.GET, "/profile", as: hero.user)
            app.clock.advance(by: .seconds(5))
            for body in ["{}", #"{"unknown":[]}"#, RunningHeroes.application()] {
                let answer = try await app.send(.PATCH, "/profile", body, as: hero.user)
                #expect(answer.status == 200 && answer.members == before.members)
            }
            #expect(try await app.sql("SELECT count(*) FROM heroes.outbox WHERE type = 'hero.updated'") == "0")
        }
    }

    @Test("Every bad field is named and nothing changes")
    func badFields() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.hero()
            for value in ["null", "[]", "{}", "true", "2.5", "\"\\u0000\"", "\"\"", "-1"] {
                for name in RunningHeroes.details.keys {
                    let answer = try await app.send(.PATCH, "/profile", #"{"\#(name)":\#(value)}"#, as: hero.user)
                    #expect(answer.status == 400 && answer.badFields == [name], "\(name) \(value): \(answer)")
                }
            }
            #expect(try await app.sql("SELECT version FROM heroes.heroes") == "1")
        }
    }

    @Test("While accounts is away the profile is 503 and nothing is changed; the directory goes on")
    func accountsAway() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            app.accounts.setAway(true)
            for answer in [
                try await app.send(.GET, "/profile", as: hero.user),
                try await app.send(.PATCH, "/profile", #"{"rate_in_cents":5}"#, as: hero.user),
            ] {
                #expect(answer.status == 503 && answer.headers.first(name: "retry-after") != nil)
                #expect(answer.text("code") == "temporarily_unavailable")
            }
            #expect(try await app.list().results.first?["rate_in_cents"] == .integer(100))
            #expect(try await app.send(.GET, "/\(hero.slug)").status == 200)
            #expect(try await app.decide("decline", hero).status == 200)
            #expect(try await app.list().ids == [])
        }
    }

    @Test("Of twenty changes at once none is lost")
    func race() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for rate in 1...20 {
                    group.addTask {
                        let body =
                            rate.isMultiple(of: 2) ? #"{"rate_in_cents":\#(rate)}"# : #"{"years_of_exp":\#(rate + 20)}"#
                        let answer = try await app.send(.PATCH, "/profile", body, as: hero.user)
                        #expect(answer.status == 200)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await app.sql("SELECT version FROM heroes.heroes") == "22")
            #expect(try await app.sql("SELECT count(*) FROM heroes.outbox WHERE type = 'hero.updated'") == "20")
        }
    }
}
