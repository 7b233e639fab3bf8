import Foundation
import TestKit
import Testing

@Suite("Many who do the same to a hero at once, through the gateway") struct HeroRaceTests {
    @Test func `eight applications of one user make one hero, ten accepts send one mail`() async throws {
        let stack = try await RunningStack.start()
        let staff = try await stack.staff()
        let tom = try await stack.person(verified: true, firstName: "Tom", lastName: "Brady")
        let applied = try await Self.atOnce(8) {
            try await stack.client.ask(.POST, "/api/v1/heroes/apply", token: tom.token, RunningStack.application)
        }
        #expect(applied.filter { $0.status == 201 }.count == 1)
        #expect(applied.filter { $0.status == 409 }.count == 7)
        let id = try #require(applied.compactMap { $0.json["id"] as? Int }.first)
        #expect(try await stack.sql("SELECT count(*) FROM heroes.heroes") == "1")

        let accepted = try await Self.atOnce(10) {
            try await stack.client.ask(.POST, "/api/v1/heroes/accept", token: staff.token, #"{"hero_id": \#(id)}"#)
        }
        #expect(accepted.allSatisfy { $0.status == 200 && $0.body == accepted[0].body })
        _ = try await Self.atOnce(3) {
            try await stack.client.ask(.POST, "/api/v1/heroes/decline", token: staff.token, #"{"hero_id": \#(id)}"#)
        }
        // Events are read in their order: by the mail about the last of them, all others have had theirs.
        try await eventually("a mail about each decision") { stack.mails(to: tom.email).count >= 3 }
        try await eventually("nothing waits to be sent") {
            try await stack.sql("SELECT count(*) FROM accounts.deliveries WHERE state = 'waiting'") == "0"
        }
        // Besides the one with the code.
        #expect(stack.mails(to: tom.email).count == 3)
        #expect(
            stack.mails(to: staff.email).filter { $0.contains("https://web.example/accept-decline-hero/\(id)") }.count
                == 1)
        try await stack.end()
    }

    private static func atOnce(
        _ count: Int, _ ask: @escaping @Sendable () async throws -> Answer
    ) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<count { group.addTask { try await ask() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}
