import Foundation
import Identity
import ServiceKit
import Testing

@testable import HeroesService

@Suite("Applying")
struct ApplyTests {
    static let members: Set<String> = [
        "id", "user", "slug", "discipline", "title", "description", "position", "company", "short_bio", "years_of_exp",
        "rate_in_cents", "accepted", "linkedin_url", "created", "updated",
    ]
    static let userMembers: Set<String> = ["id", "first_name", "last_name", "profile_image", "timezone", "created"]

    @Test("A new hero is answered with all of the block, and waits for staff")
    func success() async throws {
        try await RunningHeroes.with { app in
            let user = app.accounts.register("Tom", "Brady")
            let answer = try await app.send(
                .POST, "/apply",
                RunningHeroes.application([
                    "title": #""  Set up\ta REST API ""#, "accepted": "true", "slug": #""mine""#, "id": "77",
                    "created": #""2016-11-16T15:56:56Z""#,
                ]), as: .of(user.id))
            #expect(answer.status == 201, "\(answer)")
            #expect(Set(answer.members.keys) == Self.members)
            #expect(answer.integer("id") == 1 && answer.text("slug") == "tom-brady")
            #expect(answer["accepted"] == .bool(false) && answer.text("title") == "Set up\ta REST API")
            #expect(answer.text("created") == app.clock.now.rfc3339 && answer.text("updated") == answer.text("created"))
            let block = answer["user"]?.members ?? [:]
            #expect(Set(block.keys) == Self.userMembers)
            #expect(block["id"]?.text == user.id.uuidString.lowercased() && block["profile_image"] == .null)
            #expect(try await app.list().integer("count") == 0)
            #expect(try await app.send(.GET, "/1").status == 404)
            #expect(try await app.sql("SELECT state FROM heroes.heroes") == "pending")
        }
    }

    @Test("Every bound of every field holds, and every wrong type is named")
    func badFields() async throws {
        try await RunningHeroes.with { app in
            let user = Claims.User.of(app.accounts.register().id)
            let all = Set(RunningHeroes.details.keys)
            let empty = try await app.send(.POST, "/apply", "{}", as: user)
            #expect(empty.status == 400 && empty.badFields == all && empty.text("code") == "invalid")
            for value in ["null", "[]", "{}", "true", "2.5", "\"\\u0000\"", "\"\"", "-1"] {
                let body = RunningHeroes.application(Dictionary(uniqueKeysWithValues: all.map { ($0, value) }))
                let answer = try await app.send(.POST, "/apply", body, as: user)
                #expect(answer.status == 400 && answer.badFields == all, "\(value): \(answer)")
            }
            func text(_ count: Int) -> String { "\"" + String(repeating: "é", count: count) + "\"" }
            let url = "\"https://x.example/" + String(repeating: "a", count: 183) + "\""
            let bad: [(String, String)] = [
                ("discipline", #""be""#), ("discipline", #""DEVOPS""#), ("title", text(51)), ("title", #""  ""#),
                ("description", text(1001)), ("position", text(101)), ("company", text(101)), ("short_bio", text(200)),
                ("years_of_exp", "81"), ("years_of_exp", #""3""#), ("years_of_exp", "9223372036854775808"),
                ("rate_in_cents", "100001"), ("rate_in_cents", "1e400"), ("linkedin_url", url),
                ("linkedin_url", #""ftp://x.example""#), ("linkedin_url", #""javascript:alert(1)""#),
            ]
            for (name, value) in bad {
                let answer = try await app.send(.POST, "/apply", RunningHeroes.application([name: value]), as: user)
                #expect(answer.status == 400 && answer.badFields == [name], "\(name) \(value): \(answer)")
            }
            #expect(try await app.sql("SELECT count(*) FROM heroes.heroes") == "0")
            let widest = RunningHeroes.application([
                "discipline": #""UX""#, "title": text(50), "description": text(1000), "position": text(100),
                "company": text(100), "short_bio": text(199), "years_of_exp": "80", "rate_in_cents": "100000",
                "linkedin_url": "\"https://x.example/" + String(repeating: "a", count: 182) + "\"",
            ])
            #expect(try await app.send(.POST, "/apply", widest, as: user).status == 201)
        }
    }

    @Test("First who asks, then what they ask, then what is there")
    func order() async throws {
        try await RunningHeroes.with { app in
            let user = app.accounts.register().id
            let nobody = try await app.send(.POST, "/apply", "{}")
            #expect(nobody.status == 403 && nobody.text("code") == "not_authenticated")
            let unverified = try await app.send(.POST, "/apply", "{}", as: .of(user, []))
            #expect(unverified.status == 403 && unverified.text("code") == "email_unverified")
            #expect(try await app.send(.POST, "/apply", "{", as: .of(user)).text("code") == "malformed_json")
            #expect(try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(user)).status == 201)
            #expect(try await app.send(.POST, "/apply", "{}", as: .of(user)).status == 400)
            let again = try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(user))
            #expect(again.status == 409 && again.text("code") == "conflict")
        }
    }

    @Test("Of eight at once of one user, one becomes a hero and seven hear of a conflict")
    func race() async throws {
        try await RunningHeroes.with { app in
            let user = app.accounts.register().id
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(user)).status
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
            #expect(statuses == [201: 1, 409: 7])
            #expect(try await app.sql("SELECT count(*), max(slug) FROM heroes.heroes") == "1|tom-brady")
            #expect(try await app.sql("SELECT count(*) FROM heroes.outbox WHERE type = 'hero.applied'") == "1")
            // Those who came to nothing took no number.
            #expect(try await app.hero().slug == "tom-brady-1")
        }
    }

    @Test("Fifty namesakes at once get fifty slugs")
    func namesakes() async throws {
        try await RunningHeroes.with(.init(replicas: 2)) { app in
            let users = (0..<50).map { _ in app.accounts.register("Tom", "Brady").id }
            let slugs = try await withThrowingTaskGroup(of: String?.self) { group in
                for (index, user) in users.enumerated() {
                    group.addTask {
                        let answer = try await app.send(
                            .POST, "/apply", RunningHeroes.application(), as: .of(user), replica: index % 2)
                        #expect(answer.status == 201, "\(answer)")
                        return answer.text("slug")
                    }
                }
                return try await group.reduce(into: Set<String>()) { if let slug = $1 { $0.insert(slug) } }
            }
            #expect(slugs == Set(["tom-brady"] + (1..<50).map { "tom-brady-\($0)" }))
        }
    }

    @Test("A slug that is a word of ours, a number or nothing is another; one that is taken by another stem too")
    func slugs() async throws {
        try await RunningHeroes.with { app in
            #expect(try await app.hero("Apply", "名").slug == "apply-1")
            #expect(try await app.hero("42", "名").slug == "42-1")
            let nameless = try await app.hero("李", "小龍")
            #expect(nameless.slug == "hero-\(nameless.heroID)")
            #expect(try await app.hero("Ann", "1").slug == "ann-1")
            #expect(try await app.hero("Ann", "").slug == "ann")
            #expect(try await app.hero("Ann", "").slug == "ann-2")
            let long = String(repeating: "a", count: 50)
            #expect(try await app.hero(long, "b").slug == long)
            #expect(try await app.hero(long, "c").slug == String(repeating: "a", count: 48) + "-1")
        }
    }

    @Test("A user whose copy has not come is asked for once; while accounts is away it is 503, unless the copy is here")
    func missingCopy() async throws {
        try await RunningHeroes.with { app in
            let user = app.accounts.register("Ada", "Lovelace")
            app.accounts.setAway(true)
            let away = try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(user.id))
            #expect(away.status == 503 && away.headers.first(name: "retry-after") != nil)
            app.accounts.setAway(false)
            #expect(try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(user.id)).status == 201)
            #expect(app.accounts.calls("/internal/v1/users/\(user.id.uuidString.lowercased())/public") == 2)
            #expect(try await app.sql("SELECT first_name, version FROM heroes.users") == "Ada|1")

            let other = app.accounts.register("Alan", "Turing").id
            try await app.sql(
                """
                INSERT INTO heroes.users VALUES ('\(other)', 'Alan', 'Turing', NULL, 'Europe/London', now(), 1)
                """)
            app.accounts.setAway(true)
            let known = try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(other))
            #expect(known.status == 201 && known.text("slug") == "alan-turing")
        }
    }
}
