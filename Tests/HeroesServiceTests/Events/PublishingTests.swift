import Events
import Foundation
import Identity
import NIOCore
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

@Suite("What heroes publishes")
struct PublishingTests {
    /// A story in which every event happens: applied, updated, declined, accepted, updated.
    private func story(_ app: RunningHeroes) async throws -> RunningHeroes.Person {
        let hero = try await app.hero("Tom", "Brady")
        func patch(_ body: String) async throws {
            #expect(try await app.send(.PATCH, "/profile", body, as: hero.user).status == 200)
        }
        try await patch(#"{"rate_in_cents":250}"#)
        #expect(try await app.decide("decline", hero).status == 200)
        #expect(try await app.decide("decline", hero).status == 200)
        #expect(try await app.decide("accept", hero).status == 200)
        #expect(try await app.decide("accept", hero).status == 200)
        try await patch(#"{"title":"Another"}"#)
        try await patch(#"{"title":"Another"}"#)
        return hero
    }

    /// The ledger as other services read it, once it has so many events.
    private func ledger(_ app: RunningHeroes, count: Int) async throws -> [(event: Event, envelope: JSONValue)] {
        try await eventually("\(count) events in the ledger") {
            let answer = try await app.raw(.GET, "/internal/v1/events", claims: .service("accounts"))
            guard case .array(let envelopes)? = answer["events"], envelopes.count >= count else { return nil }
            return try envelopes.map { (try Event($0), $0) }
        }
    }

    @Test("Each change is told once, with what its readers need, and nothing changed tells nothing")
    func events() async throws {
        try await RunningHeroes.with { app in
            let hero = try await story(app)
            let events = try await ledger(app, count: 5).map(\.event)
            #expect(
                events.map(\.type)
                    == ["hero.applied", "hero.updated", "hero.declined", "hero.accepted", "hero.updated"])
            #expect(events.map(\.position) == [1, 2, 3, 4, 5])
            #expect(events.allSatisfy { $0.subject == "\(hero.heroID)" && $0.recipients == [hero.user.id] })
            #expect(events.map { $0.data["version"] } == (1...5).map { .integer($0) })
            #expect(events.map { $0.data["accepted"] } == [false, false, false, true, true].map { .bool($0) })
            #expect(events.map { $0.data["rate_in_cents"] } == [100, 250, 250, 250, 250].map { .integer($0) })
            let staff = JSONValue.string(RunningHeroes.staff.id.uuidString.lowercased())
            #expect(events.map { $0.data["decided_by"] } == [nil, nil, staff, staff, nil])
        }
    }

    @Test("Every event is as its schema says and looks as its sample does, and each schema has an event")
    func schemas() async throws {
        try await RunningHeroes.with { app in
            _ = try await story(app)
            let events = try await ledger(app, count: 5)
            let types = try EventSchema.types(of: "heroes")
            #expect(Set(events.map(\.event.type)) == Set(types))
            for (event, envelope) in events {
                let schema = try EventSchema(service: "heroes", type: event.type)
                #expect(try schema.faults(of: envelope).isEmpty)
                let sample = try EventSchema.sample(service: "heroes", type: event.type)
                #expect(try schema.faults(of: sample).isEmpty)
                guard case .object(let data)? = sample.members["data"] else { throw TestFailure("no data") }
                #expect(Set(data.keys) == Set(event.data.keys))
            }
        }
    }

    @Test("A schema finds what is wrong")
    func schemaFaults() throws {
        var event = try EventSchema.sample(service: "heroes", type: "hero.accepted").members
        var data = event["data"]?.members ?? [:]
        data["email"] = .string("somebody@example.com")
        data["accepted"] = .bool(false)
        data["rate_in_cents"] = .integer(100_001)
        event["data"] = .object(data)
        event["subject"] = .string("01")
        #expect(try EventSchema(service: "heroes", type: "hero.accepted").faults(of: .object(event)).count == 4)
    }

    @Test("An event goes on with the trace of the request that caused it")
    func trace() async throws {
        try await RunningHeroes.with { app in
            let user = app.accounts.register().id
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            _ = try await app.send(
                .POST, "/apply", RunningHeroes.application(), as: .of(user), headers: [("traceparent", parent)])
            let event = try await ledger(app, count: 1)[0].event
            #expect(event.traceparent?.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-") == true)
        }
    }

    @Test("The snapshot has every hero once, as the route of one has it, and only for those who keep copies")
    func snapshot() async throws {
        try await RunningHeroes.with { app in
            try await app.crowd(25)
            let pending = try await app.hero()
            var items: [[String: JSONValue]] = []
            var next: String? = "0"
            while let after = next {
                let page = try await app.raw(
                    .GET, "/internal/v1/heroes?after=\(after)&limit=10", claims: .service("calls"))
                #expect(page.status == 200 && page.integer("position") != nil)
                guard case .array(let elements)? = page["items"] else { throw TestFailure("no items: \(page)") }
                items += elements.map(\.members)
                next = page.text("next")
            }
            #expect(items.compactMap { $0["id"]?.integer } == (1...25).map { Int64($0) } + [pending.heroID])
            #expect(items.allSatisfy { Set($0.keys) == ["id", "user", "accepted", "rate_in_cents", "version"] })
            #expect(items.last?["accepted"] == .bool(false) && items.first?["accepted"] == .bool(true))
            let one = try await app.raw(.GET, "/internal/v1/heroes/\(pending.heroID)", claims: .service("calls"))
            #expect(one.members == items.last)
            for path in ["/internal/v1/heroes/99", "/internal/v1/heroes/x", "/internal/v1/heroes/-1"] {
                #expect(try await app.raw(.GET, path, claims: .service("calls")).status == 404)
            }
            for query in ["after=x", "after=-1", "limit=0", "limit=1001"] {
                let answer = try await app.raw(.GET, "/internal/v1/heroes?\(query)", claims: .service("calls"))
                #expect(answer.status == 400, "\(query)")
            }
            for path in ["/internal/v1/heroes", "/internal/v1/heroes/1", "/internal/v1/events"] {
                for claims in [Claims.anonymous, .user(RunningHeroes.staff), .service("heroes")] {
                    let answer = try await app.raw(.GET, path, claims: claims)
                    #expect(answer.status == 403, "\(path) \(claims)")
                }
            }
        }
    }
}
