import Foundation
import TestKit
import Testing

@Suite("A call, from asking to a time, through the gateway") struct CallStoryTests {
    private static let calls = "/api/v1/call-requests"

    @Test func `the whole story, which leaves no secret in a log`() async throws {
        let stack = try await RunningStack.start()
        let client = stack.client
        let staff = try await stack.staff()
        let hero = try await stack.hero(acceptedBy: staff)
        let cam = try await stack.customer()
        let message = "A reason that is nobody else's business"
        let body = """
            {"hero_id": \(try #require(hero.hero)), "message": "\(message)", "estimated_length": 30}
            """

        // A hero accepted a moment ago can be asked at once.
        let asked = try await client.ask(.POST, "\(Self.calls)/", token: cam.token, body)
        #expect(asked.status == 200, "\(asked.body)")
        let id = try #require(asked.json["id"] as? Int)
        #expect(asked.text("status") == "o" && asked.text("user") == cam.id)
        #expect(try await client.ask(.POST, "\(Self.calls)/", token: cam.token, body).status == 409)
        try await eventually("a mail to the hero") {
            stack.mails(to: hero.email).contains {
                $0.contains("https://web.example/call-requests/accept-or-decline/\(id)")
            }
        }

        let (first, second) = (Times.three(from: 24), Times.three(from: 48))
        #expect(try await client.ask(.PATCH, "\(Self.calls)/\(id)/accept/", token: cam.token, first).status == 403)
        let accepted = try await stack.asked(.PATCH, "\(Self.calls)/\(id)/accept/", hero, first)
        #expect(accepted.text("status") == "a")
        #expect((accepted.json["times"] as? [Any])?.count == 1)
        _ = try await stack.asked(.PATCH, "\(Self.calls)/\(id)/new-times", cam, second)
        #expect(try await client.ask(.PATCH, "\(Self.calls)/\(id)/new-times", token: cam.token, second).status == 409)
        let time = #"{"agreed_time": "\#(Times.slot(hours: 48))"}"#
        #expect(try await client.ask(.PATCH, "\(Self.calls)/\(id)/agreed-time/", token: cam.token, time).status == 400)
        let agreed = try await stack.asked(.PATCH, "\(Self.calls)/\(id)/agreed-time/", hero, time)
        #expect(agreed.text("agreed_time") == Times.slot(hours: 48))
        #expect(try await stack.asked(.GET, "\(Self.calls)/\(id)", cam).text("agreed_time") == Times.slot(hours: 48))
        for party in [cam, hero] {
            let list = try await stack.asked(.GET, Self.calls, party)
            #expect((list.json["results"] as? [[String: Any]])?.map { $0["id"] as? Int } == [id])
            let link = "https://web.example/call-request/\(id)"
            try await eventually("both are told") {
                stack.mails(to: party.email).filter { $0.contains(link) }.count >= 2
            }
        }
        let stranger = try await stack.person(verified: true)
        #expect(try await client.ask(.GET, "\(Self.calls)/\(id)", token: stranger.token).status == 403)
        #expect(try await client.ask(.GET, "\(Self.calls)/\(id)", token: staff.token).status == 200)

        let logs = stack.logs
        #expect(logs.contains("call-requests"), "there is nothing to search")
        for secret in [message, cam.token, hero.token, staff.token, cam.email, hero.email, staff.email]
            + [cam.phone].compactMap({ $0 })
        {
            #expect(!logs.contains(secret), "in a log: \(secret)")
        }
        try await stack.end()
    }

    @Test func `two calls at one time are never both agreed`() async throws {
        let stack = try await RunningStack.start()
        let staff = try await stack.staff()
        let hero = try await stack.hero(acceptedBy: staff)
        let number = try #require(hero.hero)
        let times = Times.three(from: 24)
        var requests: [(Person, Int)] = []
        for _ in 0..<4 {
            let cam = try await stack.customer()
            let body = #"{"hero_id": \#(number), "message": "Help", "estimated_length": 60}"#
            let id = try #require(try await stack.asked(.POST, "\(Self.calls)/", cam, body).json["id"] as? Int)
            _ = try await stack.asked(.PATCH, "\(Self.calls)/\(id)/accept", hero, times)
            requests.append((cam, id))
        }
        let time = #"{"agreed_time": "\#(Times.slot(hours: 24))"}"#
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
            for (cam, id) in requests {
                group.addTask {
                    try await stack.client.ask(.PATCH, "\(Self.calls)/\(id)/agreed-time", token: cam.token, time)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 200 }.count == 1)
        #expect(answers.filter { $0.status == 409 && $0.code == "already_booked" }.count == 3)
        try await stack.end()
    }
}
