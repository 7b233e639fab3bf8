import Foundation
import TestKit
import Testing

@Suite("The demo's heroes, users and call requests") struct DemoDataTests {
    /// What publishing has come to, and what consuming has.
    private static let ledgers = """
        SELECT (SELECT count(*) FROM accounts.outbox), (SELECT count(*) FROM heroes.outbox),
            (SELECT count(*) FROM calls.outbox), (SELECT count(*) FROM accounts.deliveries)
        """

    @Test func `a running stack shows them in the next request, and is as before but for them`() async throws {
        let stack = try await RunningStack.start()
        let client = stack.client
        let staff = try await stack.staff()
        // The demo has namesakes.
        let ada = try await stack.hero(acceptedBy: staff, firstName: "Ada", lastName: "Lovelace")
        #expect(try await client.ask(.GET, "/api/v1/heroes/").json["count"] as? Int == 1)
        try await eventually("everybody is told") { stack.mails(to: ada.email).count == 2 }
        let before = try await stack.sql(Self.ledgers)

        let said = try await stack.demo(["400"])
        #expect(said.contains("400 heroes added in"), "\(said)")
        let list = try await client.ask(.GET, "/api/v1/heroes/")
        // Of a hundred one waits for staff.
        #expect(list.json["count"] as? Int == 397)
        let heroes = try #require(list.json["results"] as? [[String: Any]])
        #expect(heroes.count == 10)
        for hero in heroes {
            let id = try #require(hero["id"] as? Int)
            let slug = try #require(hero["slug"] as? String)
            let detail = try await client.ask(.GET, "/api/v1/heroes/\(id)")
            #expect(detail.status == 200)
            #expect(try await client.ask(.GET, "/api/v1/heroes/\(slug)").body == detail.body)
            let title = try #require(hero["title"] as? String)
            let word = try #require(title.split(separator: " ").last { $0.allSatisfy(\.isLetter) })
            let found = try await client.ask(.GET, "/api/v1/heroes/?search=\(word)&page_size=100")
            let ids = (found.json["results"] as? [[String: Any]])?.compactMap { $0["id"] as? Int } ?? []
            #expect(ids.contains(id), "\(word) finds \(ids)")
        }
        let pending = try await stack.command(.heroes, ["list", "--pending"])
        #expect(pending.split(separator: "\n").filter { $0.contains("\tpending\t") }.count == 4, "\(pending)")
        // Nothing was published, so nobody got mail.
        #expect(try await stack.sql(Self.ledgers) == before)

        // Again is more of them.
        try await stack.demo(["30"])
        #expect(try await client.ask(.GET, "/api/v1/heroes/").json["count"] as? Int == 397 + 29)
        let slugs = try await stack.sql("SELECT count(DISTINCT slug), count(*) FROM heroes.heroes")
        #expect(slugs == "431|431")
        // The living go on beside them: a namesake gets a slug, events arrive, copies are as their owners have them.
        let other = try await stack.hero(acceptedBy: staff, firstName: "Ada", lastName: "Lovelace")
        #expect(try await stack.timeOfNewName(of: other, below: .seconds(1)) < .seconds(1))
        for service in [RunningStack.Service.heroes, .calls] { try await stack.command(service, ["rebuild"]) }
        for schema in ["heroes", "calls"] {
            #expect(
                try await stack.sql(
                    """
                    SELECT count(*) FROM accounts.users a FULL JOIN \(schema).users c USING (id)
                    WHERE (a.first_name, a.last_name, a.timezone, a.created, a.version)
                        IS DISTINCT FROM (c.first_name, c.last_name, c.timezone, c.created, c.version)
                    """) == "0")
        }
        #expect(
            try await stack.sql(
                """
                SELECT count(*) FROM heroes.heroes h LEFT JOIN calls.heroes c USING (id) WHERE h.state = 'accepted'
                    AND (h.user_id, h.rate_in_cents, h.version, true)
                        IS DISTINCT FROM (c.user_id, c.rate_in_cents, c.version, c.accepted)
                """) == "0")
        #expect(
            try await stack.sql("SELECT fe + be + io + an + ux FROM heroes.edition")
                == stack.sql("SELECT count(*) FROM heroes.heroes WHERE state = 'accepted'"))
        try await stack.end()
    }

    @Test func `one can be somebody of the demo, who has calls, and whom the living can ask`() async throws {
        let stack = try await RunningStack.start()
        let client = stack.client
        try await stack.demo(["200"])
        let row = try await stack.sql(
            "SELECT id, user_id, hero_user_id FROM calls.requests WHERE agreed_time IS NOT NULL ORDER BY id LIMIT 1")
        let parts = row.split(separator: "|").map(String.init)
        try #require(parts.count == 3)
        for user in parts.dropFirst() {
            let email = "demo.\(user)@demo.example"
            let guess = try await client.ask(
                .POST, "/api/v1/accounts/login", #"{"email": "\#(email)", "password": "password1"}"#)
            #expect(guess.status == 403, "\(guess.body)")
            #expect(
                try await client.ask(.POST, "/api/v1/accounts/request-password", #"{"email": "\#(email)"}"#).status
                    == 200)
            let code = try await stack.mailedCode("reset-password", to: email)
            let reset = try await client.ask(
                .POST, "/api/v1/accounts/reset-password", #"{"token": "\#(code)", "new_password": "password1"}"#)
            let token = try #require(reset.text("token"))
            let list = try await client.ask(.GET, "/api/v1/call-requests/", token: token)
            #expect(list.json["count"] as? Int == 1, "\(list.body)")
            let call = try #require((list.json["results"] as? [[String: Any]])?.first)
            #expect("\(call["id"] ?? "")" == parts[0] && call["agreed_time"] is String)
            #expect((call["times"] as? [Any])?.count == 1)
            #expect(try await client.ask(.GET, "/api/v1/call-requests/\(parts[0])", token: token).status == 200)
            let isHero = user == parts[2]
            #expect(try await client.ask(.GET, "/api/v1/heroes/profile", token: token).status == (isHero ? 200 : 404))
        }
        // Calls knows the heroes already.
        let cam = try await stack.customer()
        let id = try #require(
            ((try await client.ask(.GET, "/api/v1/heroes/").json["results"] as? [[String: Any]])?.last)?["id"] as? Int)
        let asked = try await client.ask(
            .POST, "/api/v1/call-requests/", token: cam.token,
            #"{"hero_id": \#(id), "message": "Help", "estimated_length": 30}"#)
        #expect(asked.status == 200, "\(asked.body)")
        try await stack.end()
    }

    @Test func `what it can't do it says in a line`() async throws {
        let stack = try await RunningStack.start()
        for wrong in [["0"], ["-1"], ["many"], ["1.5"], ["1", "2"], ["99999999999999999999"]] {
            #expect(
                try await Self.failure { try await stack.demo(wrong) }.contains("demo: how many heroes?"), "\(wrong)")
        }
        #expect(
            try await Self.failure { try await stack.demo([], without: .heroes) }
                .contains("demo: HEROES_DATABASE_URL is not set"))
        // Fewer than a customer is made for, and all of them shown.
        try await stack.demo(["1"])
        #expect(try await stack.client.ask(.GET, "/api/v1/heroes/").json["count"] as? Int == 1)
        try await stack.sql("ALTER TABLE calls.requests RENAME TO not_there")
        let failure = try await Self.failure { try await stack.demo(["5"]) }
        #expect(failure.contains("make up brings them"), "\(failure)")
        try await stack.end()
    }

    private static func failure(_ body: () async throws -> String) async throws -> String {
        do {
            let output = try await body()
            Issue.record("succeeded: \(output)")
            return output
        } catch let error as CommandFailed {
            return "\(error)"
        }
    }
}
