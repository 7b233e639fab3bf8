import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import TestKit

/// Two hundred callers who race through the gateway for what only one of them can have, round after round, beside three
/// replicas of calls. Every answer is judged as it comes, and kept to be compared with the database at the end.
final class CallsSoak: Sendable {
    /// Callers of one race.
    static let racers = 8
    /// Races at a time.
    static let races = 25
    /// Customers, and as many heroes. Each pair is in one race of a round at most.
    static let people = 20
    private static let path = "/api/v1/call-requests"
    /// Minutes.
    private static let length = 30

    private enum Race: String, CaseIterable {
        /// All ask as one customer the same hero; then, as the hero, half accept and half decline.
        case pair
        /// Eight customers agree to the same time with one hero.
        case hero
        /// One customer agrees to the same time with eight heroes.
        case customer
    }

    let stack: RunningStack
    let ledger = CallsLedger()
    private let http: HTTPClient
    private let client: Client
    private let customers: [Person]
    private let heroes: [Person]
    /// Hours after the start of the soak that races have used.
    private let hours = Mutex(24)
    private let start = Date()

    static func start() async throws -> CallsSoak {
        let stack = try await RunningStack.start([.calls: 3])
        let staff = try await stack.staff()
        // Few at a time: each costs a password hash.
        var (customers, heroes): ([Person], [Person]) = ([], [])
        for _ in 0..<people {
            async let customer = stack.customer()
            async let hero = stack.hero(acceptedBy: staff)
            customers.append(try await customer)
            heroes.append(try await hero)
        }
        return CallsSoak(stack, customers, heroes)
    }

    private init(_ stack: RunningStack, _ customers: [Person], _ heroes: [Person]) {
        self.stack = stack
        self.customers = customers
        self.heroes = heroes
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.racers * Self.races
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        client = Client(origin: stack.client.origin, http: http)
    }

    func stop() async throws {
        try await http.shutdown()
        try await stack.end()
    }

    // MARK: Races

    /// All races of a round at once. Whose pairs meet in which race changes from round to round.
    func round(_ number: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<Self.races {
                group.addTask {
                    // A pair's customer is so many places after its hero: each kind of race has places of its own.
                    let place = number + index
                    switch index {
                    case 0..<10:
                        let (hero, first) = (place, place)
                        try await self.book(
                            .hero, (0..<Self.racers).map { Pair(self.customer(first + $0), self.hero(hero)) })
                    case 10..<20:
                        let customer = place
                        try await self.book(
                            .customer,
                            (0..<Self.racers).map {
                                Pair(self.customer(customer), self.hero(customer - Self.racers - $0))
                            })
                    default:
                        try await self.decide(Pair(self.customer(place + 2 * Self.racers), self.hero(place)))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private struct Pair: Sendable {
        let customer: Person
        let hero: Person

        init(_ customer: Person, _ hero: Person) {
            self.customer = customer
            self.hero = hero
        }

        var asking: String {
            #"{"hero_id": \#(hero.hero ?? 0), "message": "Help", "estimated_length": \#(CallsSoak.length)}"#
        }
    }

    private func customer(_ index: Int) -> Person { customers[index % Self.people] }
    private func hero(_ index: Int) -> Person { heroes[(index % Self.people + Self.people) % Self.people] }

    /// One request of a pair is open; one decision is made on it.
    private func decide(_ pair: Pair) async throws {
        let asked = try await atOnce(Race.pair, "ask", winners: 1, losers: [409: "conflict"]) { _ in
            (.POST, "", pair.customer, pair.asking)
        }
        guard let id = asked.first?.json["id"] as? Int else { return }
        ledger.created(id)
        let times = body(of: nextTimes())
        let decided = try await atOnce(Race.pair, "decide", winners: 1, losers: [400: "invalid_state"]) { index in
            index.isMultiple(of: 2)
                ? (.PATCH, "/\(id)/accept", pair.hero, times)
                : (.PATCH, "/\(id)/decline", pair.hero, #"{"reason": "Not today"}"#)
        }
        if let status = decided.first?.text("status") { ledger.decided(id, status) }
    }

    /// Requests whose calls would overlap for the one whom all of them have in common: one is agreed to.
    private func book(_ race: Race, _ pairs: [Pair]) async throws {
        let times = nextTimes()
        let asked = try await atOnce(race, "ask", winners: pairs.count, losers: [:]) { index in
            (.POST, "", pairs[index].customer, pairs[index].asking)
        }
        let ids = asked.compactMap { $0.json["id"] as? Int }
        guard ids.count == pairs.count else { return }
        for id in ids { ledger.created(id) }
        let body = body(of: times)
        let accepted = try await atOnce(race, "accept", winners: pairs.count, losers: [:]) { index in
            (.PATCH, "/\(ids[index])/accept", pairs[index].hero, body)
        }
        guard accepted.count == pairs.count else { return }
        for id in ids { ledger.decided(id, "a") }
        // A quarter of an hour apart they overlap, too.
        let agreed = try await atOnce(race, "agree", winners: 1, losers: [409: "already_booked"]) { index in
            (
                .PATCH, "/\(ids[index])/agreed-time", pairs[index].customer,
                #"{"agreed_time": "\#(times[index % 2])"}"#
            )
        }
        if let id = agreed.first?.json["id"] as? Int, let time = agreed.first?.text("agreed_time") {
            ledger.agreed(id, time)
        }
    }

    /// Three times, a quarter of an hour apart. No other race is given any that calls at these would overlap.
    private func nextTimes() -> [String] {
        let hour = hours.withLock { hours in
            hours += 2
            return hours
        }
        return (0..<3).map { Times.slot(hours: hour, quarter: $0, after: start) }
    }

    private func body(of times: [String]) -> String {
        #"{"time_one": "\#(times[0])", "time_two": "\#(times[1])", "time_three": "\#(times[2])"}"#
    }

    // MARK: Asking

    /// What all racers ask for at once. Each has a key of its own, with which it asks again while it is told to come
    /// back: it races against the others, and wins or loses once.
    ///
    /// - Parameters:
    ///   - winners: how many must be answered 200.
    ///   - losers: the statuses of all others, with their codes.
    /// - Returns: the winners' answers, in the order of the racers.
    private func atOnce(
        _ race: Race, _ step: String, winners: Int, losers: [Int: String],
        _ request: @escaping @Sendable (Int) -> (HTTPMethod, String, Person, String)
    ) async throws -> [Answer] {
        let answers = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for index in 0..<Self.racers {
                let (method, path, person, body) = request(index)
                group.addTask {
                    let answer = try await self.client.insist(method, Self.path + path, token: person.token, body) {
                        self.ledger.wasToldToComeBack()
                    }
                    return (index, answer)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
        let (won, lost) = (answers.filter { $0.status == 200 }, answers.filter { $0.status != 200 })
        ledger.count("\(race.rawValue) \(step)", won: won.count, lost: lost.count)
        if won.count != winners || lost.contains(where: { losers[$0.status] != $0.code }) {
            ledger.violate("\(race.rawValue), \(step): \(answers.map { "\($0.status) \($0.code ?? "")" })")
        }
        return won
    }
}
