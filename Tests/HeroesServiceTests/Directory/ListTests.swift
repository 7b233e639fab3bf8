import Foundation
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

@Suite("The list")
struct ListTests {
    static let members: Set<String> = [
        "id", "user", "slug", "discipline", "title", "description", "position", "company", "years_of_exp",
        "rate_in_cents", "created", "updated",
    ]

    @Test("Anybody sees accepted heroes, newest first, and nothing private")
    func success() async throws {
        try await RunningHeroes.with { app in
            let empty = try await app.list()
            #expect(empty.status == 200 && empty.integer("count") == 0 && empty.ids == [])
            #expect(empty["next"] == .null && empty["previous"] == .null && empty["count_exact"] == nil)
            var ids: [Int64] = []
            for name in ["a", "b", "c"] {
                app.clock.advance(by: .seconds(1))
                ids.insert(try await app.acceptedHero(name).heroID, at: 0)
            }
            _ = try await app.hero("pending")
            _ = try await app.decide("decline", try await app.acceptedHero("declined"))
            let answer = try await app.list()
            #expect(answer.integer("count") == 3 && answer.ids == ids)
            #expect(answer.results.allSatisfy { Set($0.keys) == Self.members })
            #expect(
                answer.results.allSatisfy { Set($0["user"]?.members.keys.map { $0 } ?? []) == ApplyTests.userMembers })
            #expect(answer.headers.first(name: "content-type") == "application/json")
            for path in ["", "/", "/?", "/?unknown=1"] {
                #expect(try await app.send(.GET, path).body == answer.body)
            }
            #expect(try await app.send(.GET, "/", as: RunningHeroes.staff).body == answer.body)
        }
    }

    @Test("A hero's page goes by id and by slug, with or without a slash, and shows no more than it should")
    func detail() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            let answer = try await app.send(.GET, "/\(hero.heroID)")
            #expect(answer.status == 200)
            #expect(Set(answer.members.keys) == Self.members.union(["short_bio", "linkedin_url"]))
            for path in ["/\(hero.heroID)/", "/\(hero.slug)", "/\(hero.slug)/", "/tom%2Dbrady"] {
                #expect(try await app.send(.GET, path).body == answer.body, "\(path)")
            }
            for path in [
                "/0", "/-1", "/+1", "/99", "/9223372036854775808", "/1.0", "/tom", "/Tom-Brady", "/tom-brady-1", "/%00",
                "/\(UUID())", "/apply", "/accept",
            ] {
                let answer = try await app.send(.GET, path)
                let status = ["/apply", "/accept"].contains(path) ? 405 : 404
                #expect(answer.status == status && answer.text("detail")?.isEmpty == false, "\(path): \(answer)")
            }
        }
    }

    @Test("HEAD is GET without the body; what a client has already is 304")
    func conditional() async throws {
        try await RunningHeroes.with { app in
            let hero = try await app.acceptedHero()
            for path in ["/", "/\(hero.slug)"] {
                let answer = try await app.send(.GET, path)
                let tag = try #require(answer.headers.first(name: "etag"))
                #expect(answer.headers.first(name: "cache-control") == "public, no-cache")
                let head = try await app.send(.HEAD, path)
                #expect(head.status == 200 && head.body.readableBytes == 0 && head.headers.first(name: "etag") == tag)
                #expect(head.headers.first(name: "content-length") == "\(answer.body.readableBytes)")
                for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                    let same = try await app.send(.GET, path, headers: [("if-none-match", known)])
                    #expect(same.status == 304 && same.body.readableBytes == 0, "\(known)")
                    #expect(same.headers.first(name: "etag") == tag)
                }
                let none = try await app.send(.HEAD, path, headers: [("if-none-match", tag)])
                #expect(none.status == 304 && none.headers.first(name: "content-length") == nil)
                let other = try await app.send(.GET, path, headers: [("if-none-match", "\"x\", W/\"y\"")])
                #expect(other.status == 200)
                let patch = try await app.send(
                    .PATCH, "/profile", #"{"title":"\#(UUID())"}"#, as: hero.user)
                #expect(patch.status == 200)
                #expect(try await app.send(.GET, path, headers: [("if-none-match", tag)]).status == 200)
            }
        }
    }

    @Test("Filters and orders")
    func filters() async throws {
        try await RunningHeroes.with { app in
            var ids: [String: Int64] = [:]
            for (name, discipline, rate, years) in [
                ("a", "FE", 100, 5), ("b", "BE", 300, 1), ("c", "BE", 200, 9), ("d", "UX", 300, 5),
            ] {
                app.clock.advance(by: .seconds(1))
                ids[name] = try await app.acceptedHero(
                    name, "x",
                    [
                        "discipline": "\"\(discipline)\"", "rate_in_cents": "\(rate)", "years_of_exp": "\(years)",
                        "title": "\"Title of \(name)\"", "company": #""Müller & Söhne""#,
                        "description": "\"C++ for \(name)\"",
                    ]
                ).heroID
            }
            let cases: [(String, String)] = [
                ("", "dcba"), ("ordering=created", "abcd"), ("ordering=-created", "dcba"),
                ("ordering=rate_in_cents", "acbd"), ("ordering=-rate_in_cents", "dbca"),
                ("ordering=years_of_exp", "badc"), ("ordering=-years_of_exp", "cdab"),
                ("discipline=BE", "cb"), ("discipline=BE&ordering=created", "bc"), ("discipline=AN", ""),
                ("min_rate=200", "dcb"), ("max_rate=200", "ca"), ("min_rate=200&max_rate=200", "c"),
                ("min_rate=300&ordering=years_of_exp", "bd"), ("min_rate=101&max_rate=99", ""),
                ("min_rate=-5&max_rate=99999999999", "dcba"), ("discipline=BE&max_rate=250", "c"),
                ("discipline=BE&min_rate=0&ordering=-rate_in_cents", "bc"),
                ("search=title", "dcba"), ("search=c%2B%2B", "dcba"), ("search=muller", "dcba"),
                ("search=SOHNE", "dcba"),
                ("search=c", "c"), ("search=c+title", "c"), ("search=title+of+b", "b"), ("search=tit", "dcba"),
                ("search=nothing", ""), ("search=%3F!", ""), ("search=", "dcba"), ("search=title&discipline=BE", "cb"),
                ("search=title&min_rate=300&ordering=created", "bd"), ("search='a':*%20%7C%20b", ""),
                ("discipline=BE&search=title&max_rate=250&ordering=-years_of_exp", "c"),
            ]
            for (query, expected) in cases {
                let answer = try await app.list(query)
                #expect(answer.ids == expected.compactMap { ids[String($0)] }, "\(query): \(answer)")
                #expect(answer.integer("count") == Int64(expected.count) && answer["count_exact"] == nil, "\(query)")
            }
        }
    }

    @Test("An unknown value of a filter is 400 under its name; what is no page is 404")
    func badQueries() async throws {
        try await RunningHeroes.with { app in
            _ = try await app.acceptedHero()
            for (name, values) in [
                "discipline": ["", "be", "DEVOPS", "BE,FE"],
                "ordering": ["", "id", "-", "--created", "created,-rate_in_cents"],
                "min_rate": ["", "x", "1.5", "9223372036854775808"], "max_rate": ["", "x", "1e3"],
                "page_size": ["", "0", "101", "-1", "x", "1.5"],
                "search": [String(repeating: "a", count: 201), "%00", "%FF"],
            ] {
                for value in values {
                    let answer = try await app.list("\(name)=\(value)")
                    #expect(answer.status == 400 && answer.badFields == [name], "\(name)=\(value): \(answer)")
                }
            }
            let several = try await app.list(
                "discipline=x&ordering=x&min_rate=x&max_rate=x&page_size=x&search=\(String(repeating: "a", count: 201))&page=x"
            )
            #expect(several.status == 400, "\(several)")
            #expect(
                several.badFields == ["discipline", "ordering", "min_rate", "max_rate", "page_size", "search"],
                "\(several)")
            for query in [
                "page=", "page=0", "page=-1", "page=x", "page=1.0", "page=2", "page=99999999999999999999", "page=+1",
                "page=1099511627775", "cursor=", "cursor=x", "cursor=AAAA",
                "cursor=\(String(repeating: "A", count: 36))",
                "page=2&search=nothing", "page=2&min_rate=5&max_rate=1", "page=2&discipline=BE", "page=2&min_rate=1",
            ] {
                let answer = try await app.list(query)
                #expect(answer.status == 404 && answer.text("code") == "not_found", "\(query): \(answer)")
            }
            #expect(try await app.list("page=1&discipline=AN").status == 200)
            #expect(try await app.list("page=01").status == 200)
        }
    }

    @Test("When Postgres is away the directory says so, and comes back by itself")
    func postgresAway() async throws {
        let postgres = try await TestPostgres.start()
        // The product's own wait, at whose end a client is told.
        try await RunningHeroes.with(.init(postgres: postgres, acquireTimeout: .seconds(3))) { app in
            let hero = try await app.acceptedHero()
            #expect(try await app.list().ids == [hero.heroID])
            try await postgres.stop(.immediate)
            let away = try await app.list()
            #expect(away.status == 503 && away.headers.first(name: "retry-after") != nil, "\(away)")
            try await postgres.start()
            try await eventually("the directory is back") { try await app.list().ids == [hero.heroID] }
        }
    }
}
