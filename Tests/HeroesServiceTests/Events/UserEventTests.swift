import Foundation
import Logging
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

@Suite("Users' events")
struct UserEventTests {
    /// What the list shows of the user of a hero.
    private func shown(_ app: RunningHeroes, _ hero: Int64, replica: Int = 0) async throws -> [String: JSONValue] {
        try await app.list("page_size=100", replica: replica).results.first { $0["id"] == .integer(hero) }?["user"]?
            .members ?? [:]
    }

    @Test("A change of name or picture is on the public pages of every replica within a second; the slug stays")
    func update() async throws {
        try await RunningHeroes.with(.init(replicas: 2)) { app in
            let hero = try await app.acceptedHero("Tom", "Brady")
            let pending = try await app.hero("Clark", "Kent")
            #expect(try await shown(app, hero.heroID)["first_name"] == .string("Tom"))
            let changed = try app.accounts.change(hero.user.id) {
                $0.firstName = "Žofie"
                $0.profileImage = "https://x.example/z.png"
            }
            try await app.accounts.publish("user.updated", changed)
            let start = ContinuousClock.now
            for replica in 0..<2 {
                try await eventually("the new name at replica \(replica)") {
                    try await shown(app, hero.heroID, replica: replica)["first_name"] == .string("Žofie")
                }
                let page = try await app.send(.GET, "/\(hero.slug)", replica: replica)
                #expect(page["user"]?.members["profile_image"] == .string("https://x.example/z.png"))
                #expect(page.text("slug") == "tom-brady")
            }
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(try await app.list("search=zofie+brady").ids == [hero.heroID])
            #expect(try await app.list("search=tom").ids == [])

            // Of one who waits for staff, too: there is nothing to see yet, and nothing is made anew.
            let edition = try await app.sql("SELECT version FROM heroes.edition")
            let other = try app.accounts.change(pending.user.id) { $0.lastName = "Lane" }
            try await app.accounts.publish("user.updated", other)
            try await eventually("the copy") {
                try await app.sql("SELECT last_name FROM heroes.users WHERE first_name = 'Clark'") == "Lane"
            }
            #expect(try await app.sql("SELECT version FROM heroes.edition") == edition)
            _ = try await app.decide("accept", pending)
            #expect(try await app.list("search=lane").ids == [pending.heroID])
        }
    }

    @Test("What is older replaces nothing, and what was missed is fetched")
    func order() async throws {
        try await RunningHeroes.with { app in
            let user = app.accounts.register("Ada", "One")
            let second = try app.accounts.change(user.id) { $0.lastName = "Two" }
            let third = try app.accounts.change(user.id) { $0.lastName = "Three" }
            // The doorbell does not ring for the first, and the versions come in disorder.
            try await app.accounts.publish("user.registered", user, rings: false)
            try await app.accounts.publish("user.updated", third, rings: false)
            try await app.accounts.publish("user.updated", second)
            try await eventually("all have taken effect") {
                try await app.sql("SELECT position FROM heroes.inbox_cursor WHERE source = 'accounts'") == "3"
            }
            #expect(try await app.sql("SELECT last_name, version FROM heroes.users") == "Three|3")
            #expect(try await app.sql("SELECT count(*) FROM heroes.inbox_parked") == "0")
        }
    }

    @Test("Events of accounts are read as its samples have them", arguments: ["user.registered", "user.updated"])
    func samples(type: String) throws {
        let sample = try EventSchema.sample(service: "accounts", type: type)
        let user = try PublicUser(sample.members["data"]?.members ?? [:])
        #expect(user.id.uuidString.lowercased() == sample.members["subject"]?.text && user.version > 0)
        #expect(!user.firstName.isEmpty && user.timezone.contains("/"))
    }

    @Test("A rebuild fills the copies from accounts, and replaces nothing newer")
    func rebuild() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero("Tom", "Brady")
            let changed = try app.accounts.change(hero.user.id) { $0.firstName = "Tim" }
            let known = app.accounts.register("New", "One")
            app.accounts.tell(changed.id, known.id)
            let settings = try RunningHeroes.makeSettings(
                app.postgres.uri(database: app.database), app.redis.url, ["ACCOUNTS_URL": app.accounts.url])
            try await HeroesProcess.rebuild(settings, logger: .init(label: "rebuild"))
            #expect(try await shown(app, hero.heroID)["first_name"] == .string("Tim"))
            #expect(try await app.list("search=tim").ids == [hero.heroID])
            #expect(
                try await app.sql("SELECT string_agg(first_name, ',' ORDER BY first_name) FROM heroes.users")
                    == "New,Tim")
            app.accounts.setAway(true)
            await #expect(throws: (any Error).self) {
                try await HeroesProcess.rebuild(settings, logger: .init(label: "rebuild"))
            }
        }
    }
}
