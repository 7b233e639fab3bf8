import Foundation
import Logging
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

@Suite("Going from page to page")
struct PagingTests {
    static let orderings = [
        "created", "-created", "rate_in_cents", "-rate_in_cents", "years_of_exp", "-years_of_exp",
    ]
    static let filters = [
        "", "discipline=BE", "min_rate=20&max_rate=60", "search=title", "search=kot",
        "search=title&discipline=FE&min_rate=50",
    ]

    /// Every way to find a page is taken in some of these.
    static let limits: [PageLoader.Limits] = [
        .init(), .init(exactCount: 50, few: 0, sample: 40, looked: 60),
        .init(exactCount: 100, few: 0, sample: 60, looked: 5000), .init(few: 0, sample: 5000),
    ]

    @Test("Each page follows the last in every order and under every filter, forth and back", arguments: limits)
    func everything(limits: PageLoader.Limits) async throws {
        try await RunningHeroes.with(.init(limits: limits)) { app in
            try await app.crowd(537)
            for ordering in Self.orderings {
                for filter in Self.filters {
                    let query = "ordering=\(ordering)&\(filter)&page_size=37"
                    let expected = try await expected(app, ordering, filter)
                    let pages = try await app.walk(query)
                    #expect(pages.flatMap { $0 } == expected, "\(query)")
                    #expect(pages.dropLast().allSatisfy { $0.count == 37 }, "\(query)")
                    // By numbers, and past the end.
                    for number in 1...pages.count {
                        let answer = try await app.list("\(query)&page=\(number)")
                        #expect(answer.ids == pages[number - 1], "\(query) page \(number)")
                        #expect((answer.text("next") == nil) == (number == pages.count))
                        #expect((answer.text("previous") == nil) == (number == 1))
                    }
                    #expect(try await app.list("\(query)&page=\(pages.count + 1)").status == 404)
                    // Back from the last page.
                    let last = try await app.list("\(query)&page=\(pages.count)")
                    var back = [last.ids]
                    var answer = last
                    while let previous = try await app.follow("previous", of: answer) {
                        back.insert(previous.ids, at: 0)
                        answer = previous
                    }
                    #expect(back == pages, "back in \(query)")
                    let count = try #require(last.integer("count"))
                    if last["count_exact"] == nil {
                        #expect(count == expected.count, "\(query)")
                    } else {
                        #expect(expected.count > limits.exactCount && count > Int64(limits.exactCount), "\(query)")
                    }
                }
            }
        }
    }

    /// The same by a statement that nobody would use for it.
    private func expected(_ app: RunningHeroes, _ ordering: String, _ filter: String) async throws -> [Int64] {
        let isDescending = ordering.hasPrefix("-")
        let key = isDescending ? String(ordering.dropFirst()) : ordering
        let direction = isDescending ? "DESC" : "ASC"
        var conditions = ["state = 'accepted'"]
        for pair in filter.split(separator: "&").map({ $0.split(separator: "=") }) {
            switch pair[0] {
            case "discipline": conditions.append("discipline = '\(pair[1])'")
            case "min_rate": conditions.append("rate_in_cents >= \(pair[1])")
            case "max_rate": conditions.append("rate_in_cents <= \(pair[1])")
            default: conditions.append("words::text LIKE '%''\(pair[1])%'")
            }
        }
        let rows = try await app.sql(
            """
            SELECT id FROM heroes.heroes WHERE \(conditions.joined(separator: " AND "))
            ORDER BY \(key) \(direction), id \(direction)
            """)
        return rows.split(separator: "\n").compactMap { Int64($0) }
    }

    @Test(
        "While rates change, heroes come and go, nobody is met twice and nobody who stays is left out",
        arguments: orderings)
    func whileOthersWrite(ordering: String) async throws {
        try await RunningHeroes.with { app in
            try await app.crowd(300)
            let gone: Set<Int64> = [7, 77, 150, 222]
            let pages = try await app.walk("ordering=\(ordering)&page_size=20") { number in
                // Everybody moves, some twice, a few leave, one leaves and comes back, some come.
                try await app.sql(
                    """
                    UPDATE heroes.heroes SET rate_in_cents = (rate_in_cents * 31 + id * 17 + \(number)) % 100,
                        years_of_exp = (years_of_exp * 5 + id * 3 + \(number)) % 41 WHERE id % 3 = \(number % 3);
                    UPDATE heroes.heroes SET rate_in_cents = rate_in_cents + 1 WHERE id % 7 = \(number % 7);
                    UPDATE heroes.heroes SET state = 'declined' WHERE id = 100;
                    """)
                try await app.sql("UPDATE heroes.heroes SET state = 'accepted' WHERE id = 100")
                if number == 2 {
                    try await app.sql(
                        "UPDATE heroes.heroes SET state = 'declined' WHERE id IN (\(gone.map(String.init).joined(separator: ",")))"
                    )
                }
                if number < 5 { _ = try await app.acceptedHero("New", "One", ["rate_in_cents": "\(number * 20)"]) }
            }
            let met = pages.flatMap { $0 }
            #expect(
                Set(met).count == met.count, "twice: \(Dictionary(grouping: met) { $0 }.filter { $1.count > 1 }.keys)")
            #expect(
                Set(1...300).subtracting(gone).isSubset(of: met),
                "left out: \(Set(1...300).subtracting(gone).subtracting(met))")
            // Who was declined after page 2 is on no later page.
            #expect(gone.isDisjoint(with: pages.dropFirst(2).flatMap { $0 }))
        }
    }

    @Test("A walk that began before the memory of places does goes on in the present order")
    func forgotten() async throws {
        try await RunningHeroes.with { app in
            try await app.crowd(60)
            let first = try await app.list("ordering=rate_in_cents")
            try await app.sql("UPDATE heroes.heroes SET rate_in_cents = 99 - rate_in_cents")
            try await app.withClient { postgres in
                let housekeeping = Housekeeping(postgres: postgres, logger: .init(label: "test"))
                #expect(try await housekeeping.clean() == false)
                #expect(try await app.sql("SELECT count(*) FROM heroes.former_places") == "60")
                try await housekeeping.clean(olderThan: .zero)
            }
            #expect(try await app.sql("SELECT count(*) FROM heroes.former_places") == "0")
            #expect(try await app.sql("SELECT pruned = version FROM heroes.edition") == "t")
            let second = try #require(try await app.follow("next", of: first))
            #expect(second.status == 200 && second.ids.count == 10)
        }
    }
}
