import Foundation
import TestKit
import Testing

/// scripts/stack, which is `make run` and its kin, on the executables of this build.
@Suite("A stack of one's own") struct StackScriptTests {
    /// One stack, in a clone whose path has a space and that has no `.env`.
    private struct Stack {
        let clone: String
        let home: String
        let client: Client
        private let environment: [String: String]

        init(clone: String, home: String) throws {
            self.clone = clone
            self.home = "\(clone)/\(home)"
            // Drains are for balancers; there is none.
            var settings = ["STACK_HOME": home, "DRAIN_SECONDS": "0", "STACK_BINARIES": StackScriptTests.products]
            for name in ["GATEWAY", "ACCOUNTS", "HEROES", "CALLS"] {
                settings["\(name)_PORT"] = "\(try freePort())"
                settings["\(name)_METRICS_PORT"] = "\(try freePort())"
            }
            for name in ["POSTGRES", "REDIS"] { settings["\(name)_PORT"] = "\(try freePort())" }
            client = Client(origin: "http://127.0.0.1:\(settings["GATEWAY_PORT"] ?? "")")
            environment = ProcessInfo.processInfo.environment
                .filter { ["PATH", "HOME", "TZ", "LD_LIBRARY_PATH"].contains($0.key) }
                .merging(settings) { $1 }
        }

        func command(_ name: String, settings: [String: String] = [:]) async throws -> CommandResult {
            try await runToEnd(
                ["env", "-C", clone, "\(clone)/scripts/stack", name], environment: environment.merging(settings) { $1 })
        }

        /// `stack run`, whose pid is in a file. A shell can't catch a signal that its parent had it ignore.
        func run() async throws -> CommandResult {
            let script = #"mkdir -p "$2" && echo $$ >"$2/pid" && exec "$1" run"#
            return try await runToEnd(
                ["env", "--default-signal=INT", "-C", clone, "bash", "-c", script, "bash"]
                    + ["\(clone)/scripts/stack", home], environment: environment)
        }

        /// What Ctrl-C does to `stack run`, if it runs.
        func interrupt() throws {
            let pid = try StackScriptTests.pid("\(home)/pid")
            let command = try String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)
            if command.contains(clone) { kill(pid, SIGINT) }
        }

        var isReady: Bool {
            get async throws { try await client.ask(.GET, "/health/ready").status == 200 }
        }

        /// The pids of what it started, by name.
        func pids() throws -> [String: Int32] {
            let folder = "\(home)/run"
            let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".pid") }
            return try Dictionary(
                uniqueKeysWithValues: files.map { file in
                    (String(file.dropLast(4)), try StackScriptTests.pid("\(folder)/\(file)"))
                })
        }

        /// Whether every process of it has gone, by the locks that they hold.
        func isDown() async throws -> Bool {
            let lines = try await command("status").output.split(separator: "\n")
            return lines.count == 6 && lines.allSatisfy { $0.hasSuffix("does not run") }
        }
    }

    private static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path
    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let everything: Set = ["postgres", "redis", "accounts", "heroes", "calls", "gateway"]

    private static func pid(_ path: String) throws -> Int32 {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private static func clone() async throws -> String {
        let folder = try await temporaryFolder("stack").appendingPathComponent("a clone")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        for name in ["scripts", "Deploy", ".env.example"] {
            try FileManager.default.createSymbolicLink(
                at: folder.appendingPathComponent(name), withDestinationURL: package.appendingPathComponent(name))
        }
        return folder.path
    }

    @Test func `what was registered outlives a kill of everything, and nobody stops another's stack`() async throws {
        let clone = try await Self.clone()
        let one = try Stack(clone: clone, home: "one home")
        let other = try Stack(clone: clone, home: "other")
        do {
            try await Self.story(one, other)
        } catch {
            try? other.interrupt()
            for stack in [one, other] { _ = try? await stack.command("down") }
            throw error
        }
        for stack in [one, other] { _ = try await stack.command("down") }
        #expect(try await one.isDown())
        #expect(try await other.isDown())
    }

    private static func story(_ one: Stack, _ other: Stack) async throws {
        let email = "ada@example.com"
        let login = #"{"email": "\#(email)", "password": "password1"}"#
        let started = try await one.command("up")
        try #require(started.status == 0, "\(started.output)")
        let registered = try await one.client.ask(
            .POST, "/api/v1/accounts/register", RunningStack.registration(email, "password1"))
        #expect(registered.status == 201, "\(registered.body)")
        let first = try one.pids()
        try #require(Set(first.keys) == everything)

        let again = try await one.command("up")
        #expect(again.status == 0, "\(again.output)")
        #expect(try one.pids() == first)
        let changed = try await one.command("up", settings: ["TOKEN_SECONDS": "3600"])
        #expect(changed.status == 0, "\(changed.output)")
        let second = try one.pids()
        #expect(second["accounts"] != first["accounts"])
        #expect(second["postgres"] == first["postgres"])

        for pid in second.values { kill(pid, SIGKILL) }
        let restarted = try await one.command("up")
        try #require(restarted.status == 0, "\(restarted.output)")
        #expect(try Set(one.pids().values).isDisjoint(with: second.values))
        #expect(try await one.client.ask(.POST, "/api/v1/accounts/login", login).status == 200)

        let before = try one.pids()
        let running = Task { try await other.run() }
        try await eventually(within: .seconds(120), "the other stack") { try await other.isReady }
        #expect(try Set(other.pids().keys) == everything)
        // Another's data.
        #expect(try await other.client.ask(.POST, "/api/v1/accounts/login", login).status == 403)
        try other.interrupt()
        try await eventually(within: .seconds(120), "Ctrl-C has stopped the other stack") { try await other.isDown() }
        let ended = try await running.value
        #expect(ended.status == 0, "\(ended.output)")
        #expect(try one.pids() == before)
        #expect(try await one.isReady)
    }

    @Test func `two replicas of calls are started, and stopped with the rest`() async throws {
        let stack = try Stack(clone: try await Self.clone(), home: "scaled")
        // The second has ports a hundred above those of the first.
        let two = [
            "CALLS_REPLICAS": "2", "CALLS_PORT": "\(try freePort(alsoFree: 100))",
            "CALLS_METRICS_PORT": "\(try freePort(alsoFree: 100))",
        ]
        let result = try await stack.command("up", settings: two)
        let status = try? await stack.command("status", settings: two).output.split(separator: "\n")
        let isReady = try? await stack.isReady
        let stopped = try await stack.command("down", settings: two)
        #expect(result.status == 0, "\(result.output)")
        for name in ["calls", "calls-2", "gateway"] {
            let isRunning = status?.contains { $0.hasPrefix("\(name) runs") && $0.hasSuffix(", ready") }
            #expect(isRunning == true, "\(name): \(status ?? [])")
        }
        #expect(isReady == true)
        #expect(stopped.status == 0, "\(stopped.output)")
        let after = try await stack.command("status", settings: two).output.split(separator: "\n")
        #expect(after.count == 7 && after.allSatisfy { $0.hasSuffix("does not run") }, "\(after)")
    }

    @Test func `each setting that a process reads is in the example, by which make up sees what has changed`() throws {
        let example = try String(contentsOf: Self.package.appendingPathComponent(".env.example"), encoding: .utf8)
        let named = Set(example.matches(of: /\n#([A-Z][A-Z0-9_]*)=/).map { String($0.1) })
        var read: Set<String> = []
        for file in [
            "Shared/ServiceKit/Settings/SettingsReader+process.swift",
            "Shared/Events/Publishing/RelaySettings.swift", "Services/accounts/Service/Running/MailRoute.swift",
            "Services/accounts/Service/Running/AccountsSettings.swift",
            "Services/heroes/Service/Running/HeroesSettings.swift",
            "Services/calls/Service/Running/CallsSettings.swift",
            "Services/gateway/Service/Settings/GatewaySettings.swift",
        ] {
            let source = try String(contentsOf: Self.package.appendingPathComponent(file), encoding: .utf8)
            let names = source.matches(of: /"([A-Z][A-Z0-9_]+)"/).map { String($0.1) }
            #expect(!names.isEmpty, "\(file)")
            read.formUnion(names)
        }
        #expect(read.subtracting(named).isEmpty, "not in .env.example: \(read.subtracting(named))")
    }
}
