import Foundation
import TestKit
import Testing

@Suite("What operators of heroes have on the command line") struct HeroCommandTests {
    @Test func `list, health and rebuild, as processes`() async throws {
        let stack = try await RunningStack.start()
        let staff = try await stack.staff()
        let tom = try await stack.hero(acceptedBy: staff)
        let ada = try await stack.hero(acceptedBy: nil, firstName: "Ada", lastName: "Lovelace")
        let (first, second) = (try #require(tom.hero), try #require(ada.hero))

        let pending = Self.lines(try await stack.command(.heroes, ["list", "--pending"]))
        #expect(pending.count == 1 && pending[0].starts(with: ["\(second)", "pending"]), "\(pending)")
        #expect(pending[0].suffix(4) == ["BE", "ada-lovelace", "Ada Lovelace", "Set up a production level REST API"])
        let all = Self.lines(try await stack.command(.heroes, ["list"]))
        #expect(all.map { $0.prefix(2) } == [["\(first)", "accepted"], ["\(second)", "pending"]])
        #expect(Self.lines(try await stack.command(.heroes, ["list", "--limit", "1"])).count == 1)
        _ = try await stack.asked(.POST, "/api/v1/heroes/decline", staff, #"{"hero_id": \#(second)}"#)
        #expect(Self.lines(try await stack.command(.heroes, ["list", "--pending"])).isEmpty)

        try await eventually(within: .seconds(30), "ready") {
            try await stack.command(.heroes, ["health"]).contains("ready")
        }

        // A copy that is not as accounts has it, beside running processes.
        try await stack.sql("UPDATE heroes.users SET first_name = 'Wrong', version = 0 WHERE id = '\(tom.id)'")
        #expect(try await Self.name(first, stack) == "Wrong")
        try await stack.command(.heroes, ["rebuild"])
        #expect(try await Self.name(first, stack) == "Tom")
        // Again changes nothing.
        let edition = try await stack.sql("SELECT version FROM heroes.edition")
        try await stack.command(.heroes, ["rebuild"])
        #expect(try await stack.sql("SELECT version FROM heroes.edition") == edition)

        try await stack.accounts[0].kill9()
        await #expect(throws: CommandFailed.self) { try await stack.command(.heroes, ["rebuild"]) }
        try await stack.replicas(of: .heroes)[0].terminate()
        await #expect(throws: CommandFailed.self) { try await stack.command(.heroes, ["health"]) }
        // Without its processes an operator can still look.
        #expect(Self.lines(try await stack.command(.heroes, ["list"])).count == 2)
        try await stack.end()
    }

    /// The fields of each line that is a hero's; the process logs beside them.
    private static func lines(_ output: String) -> [[String]] {
        output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }.filter { $0.count == 7 }
    }

    private static func name(_ hero: Int, _ stack: RunningStack) async throws -> String? {
        let detail = try await stack.client.ask(.GET, "/api/v1/heroes/\(hero)")
        return (detail.json["user"] as? [String: Any])?["first_name"] as? String
    }
}
