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

    /// Gives a hero another name and another picture.
    ///
    /// - Returns: how long it took until both replicas showed them.
    private func change(
        _ app: RunningHeroes, _ hero: RunningHeroes.Person, to name: String
    ) async throws -> Duration {
        let image = "https://x.example/\(UUID()).png"
        let changed = try app.accounts.change(hero.user.id) {
            $0.firstName = name
            $0.profileImage = image
        }
        try await app.accounts.publish("user.updated", changed)
        let start = ContinuousClock.now
        for replica in 0..<2 {
            try await eventually("the new name at replica \(replica)") {
                try await shown(app, hero.heroID, replica: replica)["first_name"] == .string(name)
            }
            let page = try await app.send(.GET, "/\(hero.slug)", replica: replica)
            #expect(page["user"]?.members["profile_image"] == .string(image))
            #expect(page.text("slug") == "tom-brady")
        }
        return ContinuousClock.now - start
    }

    @Test("A change of name or picture is on the public pages of every replica within a second; the slug stays")
    func update() async throws {
        try await RunningHeroes.with(.init(replicas: 2)) { app in
            let hero = try await app.acceptedHero("Tom", "Brady")
            let pending = try await app.hero("Clark", "Kent")
            #expect(try await shown(app, hero.heroID)["first_name"] == .string("Tom"))
            var isAgain = false
            let taken = try await measured(below: .seconds(1)) {
                if isAgain { _ = try await change(app, hero, to: "Tim") }
                isAgain = true
                return try await change(app, hero, to: "Žofie")
            }
            #expect(taken < .seconds(1))
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

    @Test("Whoever has a hero's row and wants the edition's is not kept from it by an event that waits for the hero's")
    func locks() async throws {
        try await RunningHeroes.with { app in
            let first = try await app.acceptedHero("Ada", "One")
            let second = try await app.acceptedHero("Bob", "Two")
            let ada = try app.accounts.change(first.user.id) { $0.lastName = "Uno" }
            let bob = try app.accounts.change(second.user.id) { $0.lastName = "Due" }
            try await app.withClient { postgres in
                try await postgres.withTransaction { transaction in
                    try await transaction.execute(
                        "SELECT 1 FROM heroes.heroes WHERE id = \(second.heroID) FOR NO KEY UPDATE")
                    // Both are there when the doorbell rings.
                    try await app.accounts.publish("user.updated", ada, rings: false)
                    try await app.accounts.publish("user.updated", bob)
                    try await eventually("an event that waits") { try await app.waiting() == "1" }
                    _ = try await transaction.execute("SELECT 1 FROM heroes.edition FOR UPDATE NOWAIT")
                }
            }
            try await eventually("both names") {
                try await app.sql("SELECT string_agg(last_name, ' ' ORDER BY last_name) FROM heroes.users") == "Due Uno"
            }
        }
    }

    @Test("A hero whose name changes while they apply is found by the new name")
    func applying() async throws {
        try await RunningHeroes.with { app in
            // A namesake, so that the next one can be made to wait for the slug.
            _ = try await app.hero("Tom", "Brady")
            let user = app.accounts.register("Tom", "Brady")
            try await app.accounts.publish("user.registered", user)
            try await eventually("the copy") { try await app.sql("SELECT count(*) FROM heroes.users") == "2" }
            let changed = try app.accounts.change(user.id) { $0.firstName = "Tim" }
            let isNew = "(SELECT version FROM heroes.users WHERE id = '\(user.id)') = 2"
            let application = try await app.withClient { postgres in
                try await postgres.withTransaction { transaction in
                    try await transaction.execute(
                        "SELECT 1 FROM heroes.slug_stems WHERE stem = 'tom-brady' FOR UPDATE")
                    let application = Task {
                        try await app.send(.POST, "/apply", RunningHeroes.application(), as: .of(user.id))
                    }
                    try await eventually("an application that waits") { try await app.waiting() == "1" }
                    try await app.accounts.publish("user.updated", changed)
                    try await eventually("the event has taken effect, or waits for the application") {
                        try await app.sql("SELECT \(isNew) OR \(RunningHeroes.waitingCount) = 2") == "t"
                    }
                    return application
                }
            }
            let answer = try await application.value
            let id = try #require(answer.integer("id"), "\(answer)")
            try await eventually("the new name") { try await app.sql("SELECT \(isNew)") == "t" }
            _ = try await app.decide("accept", .init(user: .of(user.id), heroID: id, slug: ""))
            #expect(try await app.list("search=tim").ids == [id])
            #expect(try await app.list("search=tom").ids == [])
        }
    }
}
