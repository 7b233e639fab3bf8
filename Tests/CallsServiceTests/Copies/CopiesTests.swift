import CallsDomain
import Foundation
import Identity
import NIOCore
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import CallsService

@Suite struct CopiesTests {
    @Test func `A change of name is shown with times that were suggested before`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let (cam, tom) = (app.person(), app.hero("Tom"))
            let id = try await app.accepted(tom, as: cam)
            func name() async throws -> JSONValue? {
                try await app.show(id, as: cam).list("times")[0]["user"]?.members["first_name"]
            }
            #expect(try await name() == .string("Tom"))
            try await app.accounts.publish(
                "user.updated", subject: tom.user.id.text, RunningCalls.block(tom.user.id, "Thomas", version: 2))
            try await eventually("the new name") { try await name() == .string("Thomas") }
            // An older one that comes late changes nothing.
            try await app.accounts.publish(
                "user.updated", subject: tom.user.id.text, RunningCalls.block(tom.user.id, "Old", version: 1))
            let other = app.person()
            try await app.accounts.publish(
                "user.registered", subject: other.id.text, RunningCalls.block(other.id, "New"))
            try await eventually("the next event") {
                try await app.sql("SELECT count(*) FROM calls.users WHERE id = '\(other.id)'") == "1"
            }
            #expect(try await name() == .string("Thomas"))
        }
    }

    @Test func `A hero accepted, changed or declined by event is so here`() async throws {
        try await RunningCalls.with { app async throws in
            let owner = app.person()
            func tell(_ type: String, _ accepted: Bool, _ rate: Int, _ version: Int) async throws {
                let block = RunningCalls.heroBlock(7, owner.id, accepted: accepted, rate: rate, version: version)
                app.heroes.put("7", block)
                try await app.heroes.publish(type, subject: "7", block)
                try await eventually("version \(version)") {
                    try await app.sql("SELECT version FROM calls.heroes WHERE id = 7") == "\(version)"
                }
            }
            try await tell("hero.applied", false, 100, 1)
            #expect(try await app.send(.POST, "/", RunningCalls.asking(7), as: app.person()).status == 400)
            try await tell("hero.accepted", true, 100, 2)
            try await tell("hero.updated", true, 300, 3)
            let asked = app.heroes.calls("/internal/v1/heroes/7")
            let id = try await app.ask(.init(user: owner, id: 7), as: app.person())
            #expect(try await app.sql("SELECT rate_in_cents FROM calls.requests WHERE id = \(id)") == "300")
            #expect(app.heroes.calls("/internal/v1/heroes/7") == asked)
            try await tell("hero.declined", false, 300, 4)
            #expect(try await app.send(.POST, "/", RunningCalls.asking(7), as: app.person()).status == 400)
        }
    }

    @Test func `Samples of the owners' events are understood`() async throws {
        let services = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Services")
        func data(_ service: String, _ type: String) throws -> [String: JSONValue] {
            let file = services.appendingPathComponent("\(service)/Events/\(type).sample.json")
            let event = try JSONParser.object(ByteBuffer(bytes: try Data(contentsOf: file)))
            return event["data"]?.members ?? [:]
        }
        for type in ["user.registered", "user.updated"] {
            let members = try data("accounts", type)
            let copy = try UserCopy(members)
            #expect(.string(copy.user.id.text) == members["id"] && .integer(copy.version) == members["version"])
            #expect(.string(copy.user.firstName) == members["first_name"])
            #expect(copy.user.profileImage == members["profile_image"]?.text)
            // What a later release adds is no matter.
            var more = members
            more["more"] = .object([:])
            #expect(try UserCopy(more) == copy)
        }
        for type in ["hero.applied", "hero.accepted", "hero.declined", "hero.updated"] {
            let members = try data("heroes", type)
            let copy = try HeroCopy(members)
            #expect(.integer(copy.hero.id) == members["id"] && .string(copy.hero.owner.text) == members["user"])
            #expect(
                .bool(copy.hero.accepted) == members["accepted"]
                    && copy.hero.accepted == (type != "hero.applied" && type != "hero.declined"))
            #expect(.integer(copy.hero.rateInCents) == members["rate_in_cents"])
            #expect(.integer(copy.version) == members["version"])
        }
    }

    @Test func `Rebuilding fills what is missing or old and leaves what is newer`() async throws {
        try await RunningCalls.with { app async throws in
            let people = (0..<5).map { app.person("Person \($0)") }
            let heroes = (0..<5).map { _ in app.hero() }
            try await app.sql(
                """
                INSERT INTO calls.users VALUES ('\(people[0].id)', 'Newer', 'x', NULL, 'UTC', now(), 9),
                    ('\(people[1].id)', 'Older', 'x', NULL, 'UTC', now(), 0)
                ON CONFLICT (id) DO UPDATE SET first_name = excluded.first_name, version = excluded.version
                """)
            try await CallsProcess.rebuild(app.settings, logger: .init(label: "rebuild"))
            #expect(try await app.sql("SELECT count(*) FROM calls.users") == "10")
            #expect(try await app.sql("SELECT count(*) FROM calls.heroes WHERE accepted") == "5")
            let names = try await app.sql("SELECT first_name FROM calls.users WHERE first_name LIKE 'P%' ORDER BY 1")
            #expect(names == "Person 1\nPerson 2\nPerson 3\nPerson 4")
            app.heroes.setAway(true)
            _ = try await app.ask(heroes[3], as: people[2])
            await #expect(throws: (any Error).self) {
                try await CallsProcess.rebuild(app.settings, logger: .init(label: "rebuild"))
            }
        }
    }

    @Test func `Fifty who need the same unknown hero at once ask heroes once, and all get its answer`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero(rate: 700)
            try await app.withCopies { heroes, _ in
                // heroes answers nobody before all fifty wait for that one answer.
                app.heroes.hold {
                    try await eventually(within: .seconds(30), "fifty who wait") {
                        heroes.asked.passengers(for: tom.id) == 50
                    }
                }
                let found = try await all(Array(0..<50)) { _ in try await heroes.hero(tom.id, trace: TraceContext()) }
                #expect(Set(found) == [Hero(id: tom.id, owner: tom.user.id, accepted: true, rateInCents: 700)])
                #expect(found.count == 50 && app.heroes.calls("/internal/v1/heroes/\(tom.id)") == 1)
                #expect(heroes.asked.passengers(for: tom.id) == 0)
                // From now on nobody asks.
                app.heroes.setAway(true)
                #expect(try await heroes.hero(tom.id, trace: TraceContext()) == found[0])
            }
        }
    }

    @Test func `Fifty who need the same unknown user at once ask accounts once, and all get its answer`() async throws {
        try await RunningCalls.with { app async throws in
            let cam = app.person("Cam")
            try await app.withCopies { _, users in
                app.accounts.hold {
                    try await eventually(within: .seconds(30), "fifty who wait") {
                        users.asked.passengers(for: cam.id) == 50
                    }
                }
                let found = try await all(Array(0..<50)) { _ in try await users.user(cam.id, trace: TraceContext()) }
                #expect(Set(found.map(\.firstName)) == ["Cam"] && Set(found.map(\.id)) == [cam.id])
                #expect(found.count == 50 && app.accounts.calls("/internal/v1/users/\(cam.id.text)/public") == 1)
                app.accounts.setAway(true)
                #expect(try await users.user(cam.id, trace: TraceContext()) == found[0])
            }
        }
    }

    @Test func `A failure is everybody's who waited for it, and the next one asks anew`() async throws {
        let flight = SingleFlight<Int, Int>(most: 1)
        let works = Mutex(0)
        let answers = try await all(Array(0..<20)) { _ in
            do {
                return try await flight.value(for: 1) {
                    works.withLock { $0 += 1 }
                    try await eventually("twenty who wait") { flight.passengers(for: 1) == 20 }
                    throw TestFailure("away")
                }
            } catch is TestFailure {
                return -1
            }
        }
        #expect(answers == Array(repeating: -1, count: 20) && works.withLock { $0 } == 1)
        #expect(try await flight.value(for: 1) { 2 } == 2)
    }

    @Test func `Only so many different things are asked for at once`() async throws {
        let flight = SingleFlight<Int, Int>(most: 2)
        let gate = AsyncStream<Void>.makeStream()
        async let one = flight.value(for: 1) {
            for await _ in gate.stream {}
            return 1
        }
        async let two = flight.value(for: 2) { 2 + (try await flight.value(for: 1) { 5 }) }
        try await eventually("both are under way") {
            flight.passengers(for: 1) == 2 && flight.passengers(for: 2) == 1
        }
        await #expect(throws: SingleFlight<Int, Int>.Full.self) { try await flight.value(for: 3) { 3 } }
        gate.continuation.finish()
        #expect(try await one == 1)
        #expect(try await two == 3)
        #expect(try await flight.value(for: 3) { 3 } == 3)
    }

    @Test func `An answer of an owner that can't be read is no fault of who asked here`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            for bad in ["{}", "[]", "{", #"{"id":"x"}"#] {
                let other = app.hero()
                app.heroes.put("\(other.id)", bad)
                let asked = try await app.send(.POST, "/", RunningCalls.asking(other.id), as: cam)
                #expect(asked.has(.temporarilyUnavailable), "\(bad): \(asked)")
                app.accounts.put(tom.user.id.text, bad)
                let accepted = try await app.send(.PATCH, "/\(id)/accept", app.times(4), as: tom.user)
                #expect(accepted.has(.temporarilyUnavailable), "\(bad): \(accepted)")
            }
            for owner in ["heroes", "accounts"] {
                #expect(app.log.text.contains("\(owner) answered what can't be read"))
            }
        }
    }

    @Test func `A no that was under way before the question is not the answer to it`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero(accepted: false)
            try await app.withCopies { heroes, _ in
                // The first question meets the hero before the acceptance, and is answered when another waits for it too.
                app.heroes.hold {
                    try await eventually(within: .seconds(30), "another who waits") {
                        heroes.asked.passengers(for: tom.id) == 2
                    }
                }
                async let before = heroes.hero(tom.id, trace: TraceContext())
                try await eventually("the first question") { app.heroes.calls("/internal/v1/heroes/\(tom.id)") == 1 }
                app.heroes.hold {}
                app.heroes.put("\(tom.id)", RunningCalls.heroBlock(tom.id, tom.user.id, version: 2))
                async let after = heroes.hero(tom.id, trace: TraceContext())
                #expect(try await before?.accepted == false)
                #expect(try await after?.accepted == true)
            }
        }
    }
}
