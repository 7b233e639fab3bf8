import Foundation

/// Whether the scheduler groups threads by session (sched(7), "The autogroup feature"), which root can change. Where it
/// does, the cores are shared between sessions first, and each backend of Postgres is a session of its own. What runs
/// already keeps its group.
enum Autogroup {
    private static let path = "/proc/sys/kernel/sched_autogroup_enabled"
    /// As this machine has it; nil where there is no such thing.
    static let current = read()
    /// What can be measured here.
    static var settings: [String] {
        guard let current, current != "0", (try? write(current)) != nil else { return [current ?? "none"] }
        return [current, "0"]
    }

    /// Runs `body` with a setting, and sets it back.
    static func with(_ setting: String, _ body: () async throws -> Void) async throws {
        guard let current, setting != current else { return try await body() }
        try write(setting)
        do { try await body() } catch {
            try write(current)
            throw error
        }
        try write(current)
    }

    private static func read() -> String? {
        (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func write(_ setting: String) throws {
        try Data(setting.utf8).write(to: URL(fileURLWithPath: path))
    }
}
