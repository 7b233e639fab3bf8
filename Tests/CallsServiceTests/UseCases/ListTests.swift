import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct ListTests {
    @Test func `Whoever is party to nothing has an empty list`() async throws {
        try await RunningCalls.with { app async throws in
            _ = try await app.ask(app.hero(), as: app.person())
            let answer = try await app.list(as: app.person())
            #expect(answer.status == 200 && answer.integer("count") == 0 && answer["results"] == .array([]))
            #expect(answer["next"] == .null && answer["previous"] == .null)
            #expect(Set(answer.members.keys) == ["count", "next", "previous", "results"])
            #expect(try await app.send(.GET, "/").has(.notAuthenticated))
        }
    }

    @Test func `A list has both sides of a person, newest first, each as it is shown alone`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero("Tom")
            let first = try await app.ask(app.hero(), as: tom.user)
            let second = try await app.accepted(tom, as: app.person("Cam"))
            let third = try await app.ask(app.hero(), as: tom.user)
            _ = try await app.ask(app.hero(), as: app.person())
            let answer = try await app.list(as: tom.user)
            #expect(answer.ids == [third, second, first] && answer.integer("count") == 3)
            for result in answer.list("results") {
                let id = try #require(result["id"]?.integer)
                #expect(try await app.show(id, as: tom.user).members == result)
            }
        }
    }

    @Test func `Filters go together`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero("Tom")
            let asked = try await app.ask(app.hero(), as: tom.user)
            let open = try await app.ask(tom, as: app.person())
            let accepted = try await app.accepted(tom, as: app.person())
            let agreed = try await app.agreed(tom, as: app.person(), at: 8)
            let declined = try await app.ask(tom, as: app.person())
            _ = try await app.send(.PATCH, "/\(declined)/decline", #"{"reason":"no"}"#, as: tom.user)
            let own = try await app.agreed(app.hero(), as: tom.user, at: 20)
            let cases: [(String, [Int64])] = [
                ("role=user", [own, asked]), ("role=hero", [declined, agreed, accepted, open]),
                ("status=o", [open, asked]), ("status=a", [own, agreed, accepted]), ("status=d", [declined]),
                ("upcoming=true", [own, agreed]), ("upcoming=true&role=user", [own]),
                ("upcoming=true&status=o", []), ("role=hero&status=a", [agreed, accepted]),
                ("upcoming=false&status=d", [declined]), ("unknown=1&role=user", [own, asked]),
            ]
            for (query, ids) in cases {
                let answer = try await app.list(query, as: tom.user)
                #expect(answer.ids == ids && answer.integer("count") == Int64(ids.count), "\(query): \(answer)")
            }
            app.clock.advance(minutes: 8 * 15)
            #expect(try await app.list("upcoming=true", as: tom.user).ids == [own])
            for (query, field) in [
                ("role=staff", "role"), ("role=", "role"), ("status=x", "status"), ("status=O", "status"),
                ("upcoming=1", "upcoming"), ("upcoming=", "upcoming"), ("page_size=0", "page_size"),
                ("page_size=101", "page_size"), ("page_size=x", "page_size"), ("role=%ff", "role"),
            ] {
                let answer = try await app.list(query, as: tom.user)
                #expect(answer.has(.invalid) && answer.badFields == [field], "\(query): \(answer)")
            }
            let several = try await app.list("role=x&status=x&upcoming=x&page_size=x&page=x", as: tom.user)
            #expect(several.has(.invalid), "\(several)")
            #expect(several.badFields == ["role", "status", "upcoming", "page_size"], "\(several)")
        }
    }

    /// So many open requests to one hero, oldest first.
    private func crowd(_ app: RunningCalls, _ count: Int, _ hero: RunningCalls.HeroOwner) async throws -> [Int64] {
        var ids: [Int64] = []
        for _ in 0..<count { ids.append(try await app.ask(hero, as: app.person())) }
        return ids
    }

    @Test(arguments: [
        "page_size=4", "page_size=4&role=hero", "page_size=4&status=o", "page_size=12", "page_size=13", "",
    ])
    func `Pages that follow each other hold everything once, forwards and backwards`(_ query: String) async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            let ids = try await crowd(app, 12, tom)
            var page = try await app.list(query, as: tom.user)
            var pages = [page.ids]
            while let next = try await app.follow("next", of: page, as: tom.user) {
                #expect(next.status == 200 && next.integer("count") == 12, "\(next)")
                page = next
                pages.append(page.ids)
            }
            #expect(pages.flatMap { $0 } == ids.reversed())
            var backwards = [page.ids]
            while let previous = try await app.follow("previous", of: page, as: tom.user) {
                page = previous
                backwards.append(page.ids)
            }
            #expect(backwards.reversed() == pages)
        }
    }

    @Test func `Nothing comes twice or is left out while others write`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            let ids = try await crowd(app, 9, tom)
            var page = try await app.list("page_size=3", as: tom.user)
            var seen = page.ids
            while true {
                _ = try await crowd(app, 2, tom)
                guard let next = try await app.follow("next", of: page, as: tom.user) else { break }
                page = next
                seen += page.ids
            }
            #expect(seen == ids.reversed())
            // And back: what has come meanwhile stands before what was there.
            var back = page.ids
            while let previous = try await app.follow("previous", of: page, as: tom.user) {
                page = previous
                back = page.ids + back
            }
            #expect(Set(back).count == back.count && back.count == 9 + 6 && back.suffix(9) == ids.reversed())
            #expect(page["previous"] == .null)
        }
    }

    @Test func `Pages can be asked for by number`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            let ids = Array(try await crowd(app, 5, tom).reversed())
            #expect(try await app.list("page=1&page_size=2", as: tom.user).ids == Array(ids[0...1]))
            let second = try await app.list("page=2&page_size=2", as: tom.user)
            #expect(second.ids == Array(ids[2...3]) && second.integer("count") == 5)
            #expect(try await app.follow("next", of: second, as: tom.user)?.ids == [ids[4]])
            #expect(try await app.follow("previous", of: second, as: tom.user)?.ids == Array(ids[0...1]))
            let last = try await app.list("page=3&page_size=2", as: tom.user)
            #expect(last.ids == [ids[4]] && last["next"] == .null)
            #expect(try await app.list("page=1", as: app.person()).status == 200)
            for query in [
                "page=4&page_size=2", "page=0", "page=-1", "page=x", "page=", "page=1.0", "page=%2B1",
                "page=9223372036854775807", "page=99999999999999999999", "page=1099511627775&page_size=100",
                "cursor=", "cursor=x", "cursor=bzA", "cursor=bi0x", "cursor=b%2B",
                "cursor=bzk5OTk5OTk5OTk5OTk5OTk5OTk5",
            ] {
                #expect(try await app.list(query, as: tom.user).has(.notFound), "\(query)")
            }
        }
    }

    @Test func `Links keep the filters and lead to the gateway`() async throws {
        try await RunningCalls.with { app async throws in
            let tom = app.hero()
            _ = try await crowd(app, 3, tom)
            let page = try await app.list("role=hero&status=o&page_size=1", as: tom.user)
            let next = try #require(page.text("next"))
            #expect(
                next.hasPrefix("https://heroes.example/api/v1/call-requests/?role=hero&status=o&page_size=1&cursor="))
        }
    }
}
