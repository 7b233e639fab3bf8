import Foundation
import TestKit
import Testing

@Suite("A hero, from an application to the directory, through the gateway") struct HeroStoryTests {
    @Test func `the whole story`() async throws {
        let stack = try await RunningStack.start()
        let client = stack.client
        let staff = try await stack.staff()
        var tom = try await stack.person(verified: true, firstName: "Tom", lastName: "Brady")

        // Register, verify, apply: no event has to be waited for.
        let applied = try await client.ask(.POST, "/api/v1/heroes/apply", token: tom.token, RunningStack.application)
        #expect(applied.status == 201, "\(applied.body)")
        let id = try #require(applied.json["id"] as? Int)
        tom.hero = id
        #expect(applied.text("slug") == "tom-brady")
        #expect(applied.json["accepted"] as? Bool == false)
        #expect(try await client.ask(.GET, "/api/v1/heroes/\(id)").status == 404)
        #expect(
            try await client.ask(.POST, "/api/v1/heroes/apply", token: tom.token, RunningStack.application).status
                == 409)
        try await eventually("a mail to staff") {
            stack.mails(to: staff.email).contains { $0.contains("https://web.example/accept-decline-hero/\(id)") }
        }

        #expect(
            try await client.ask(.POST, "/api/v1/heroes/accept", token: tom.token, #"{"hero_id": \#(id)}"#).status
                == 403)
        let accepted = try await stack.asked(.POST, "/api/v1/heroes/accept", staff, #"{"hero_id": \#(id)}"#)
        #expect(accepted.json["accepted"] as? Bool == true)
        #expect(accepted.text("user") == staff.id)
        #expect(accepted.json["hero"] as? Int == id)

        // In the very next request, by number as by slug.
        let list = try await client.ask(.GET, "/api/v1/heroes/")
        #expect(list.json["count"] as? Int == 1)
        let listed = try #require((list.json["results"] as? [[String: Any]])?.first)
        #expect(listed["id"] as? Int == id)
        #expect(listed["short_bio"] == nil && listed["linkedin_url"] == nil && listed["accepted"] == nil)
        let detail = try await client.ask(.GET, "/api/v1/heroes/\(id)")
        #expect(detail.text("short_bio") == "A summary of myself")
        #expect(try await client.ask(.GET, "/api/v1/heroes/tom-brady").body == detail.body)
        #expect(!detail.body.contains(tom.email) && !list.body.contains(tom.email))
        try await eventually("a mail to the hero") { stack.mails(to: tom.email).count >= 2 }

        // A change of name is on the public page within a second.
        #expect(try await stack.timeOfNewName(of: tom, below: .seconds(1)) < .seconds(1))
        let profile = try await stack.asked(.GET, "/api/v1/heroes/profile", tom)
        #expect((profile.json["user"] as? [String: Any])?["email"] as? String == tom.email)
        let patched = try await stack.asked(.PATCH, "/api/v1/heroes/profile", tom, #"{"rate_in_cents": 250}"#)
        #expect(patched.json["rate_in_cents"] as? Int == 250)
        #expect(try await client.ask(.GET, "/api/v1/heroes/\(id)").json["rate_in_cents"] as? Int == 250)

        _ = try await stack.asked(.POST, "/api/v1/heroes/decline", staff, #"{"hero_id": \#(id)}"#)
        #expect(try await client.ask(.GET, "/api/v1/heroes/").json["count"] as? Int == 0)
        #expect(try await client.ask(.GET, "/api/v1/heroes/\(id)").status == 404)
        try await stack.end()
    }

    @Test func `the directory works while accounts is down, for whoever shows a token too`() async throws {
        let stack = try await RunningStack.start()
        let staff = try await stack.staff()
        let tom = try await stack.hero(acceptedBy: staff)
        let id = try #require(tom.hero)
        try await stack.accounts[0].kill9()
        #expect(try await stack.client.ask(.GET, "/api/v1/heroes/").json["count"] as? Int == 1)
        #expect(try await stack.client.ask(.GET, "/api/v1/heroes/\(id)", token: tom.token).status == 200)
        #expect(try await stack.client.ask(.GET, "/api/v1/heroes/", token: "nonsense").status == 200)
        try await stack.end()
    }
}
