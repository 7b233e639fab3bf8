import Foundation
import Synchronization

/// A private Redis on 127.0.0.1 that lives as long as the test process at most, in a folder that goes with it.
public final class TestRedis: Sendable {
    /// Its TCP port, the same after a restart.
    public let port: Int
    /// Where its snapshot and append-only file are, when the options ask for any.
    public let folder: URL

    private let options: [String]
    private let process = Mutex<GuardedProcess?>(nil)

    private static let common = Task { try await start() }

    /// The server all tests of this process share: use keys of your own, and no FLUSHALL.
    public static func shared() async throws -> TestRedis {
        try await common.value
    }

    /// Starts a server of the caller's own.
    /// - Parameter options: as on redis-server's command line (`["--appendonly", "yes"]`); it keeps nothing unless told.
    /// - Throws: when it can't be started, with the end of its log.
    public static func start(options: [String] = []) async throws -> TestRedis {
        let server = TestRedis(port: try freePort(), folder: try await TestFolder.make("redis"), options: options)
        try await server.start()
        return server
    }

    private init(port: Int, folder: URL, options: [String]) {
        self.port = port
        self.folder = folder
        self.options = ["--save", "", "--appendonly", "no"] + options
    }

    /// Starts the server again after it was stopped or killed; returns when it answers.
    /// - Throws: when it doesn't, with the end of its log.
    public func start() async throws {
        let process = try await GuardedProcess.start(
            ["hold", folder.appendingPathComponent("lock").path, Scripts.servers, "redis", folder.path, "\(port)"]
                + options,
            log: folder.appendingPathComponent("log"))
        self.process.withLock { $0 = process }
        try await ready(process, "Redis on port \(port)") {
            // A new process logs this once it accepts and has loaded its data; the log has a line for each start.
            process.output.components(separatedBy: "\n").contains {
                $0.hasPrefix("\(process.pid):") && $0.contains("Ready to accept connections")
            }
        }
    }

    /// Stops the server cleanly and waits until it is gone.
    public func stop() async throws {
        guard let process = process.withLock({ $0 }) else { return }
        process.signal(SIGTERM)
        try await process.waitForExit()
    }

    /// Kills the server at once.
    public func kill9() async throws {
        guard let process = process.withLock({ $0 }) else { return }
        process.signalAll(SIGKILL)
        try await process.waitForExit()
    }

    /// Stops and starts it.
    public func restart() async throws {
        try await stop()
        try await start()
    }

    /// The server stands still: connections stay open and nothing answers.
    public func freeze() {
        process.withLock { $0 }?.signalAll(SIGSTOP)
    }

    /// Ends a ``freeze()``.
    public func thaw() {
        process.withLock { $0 }?.signalAll(SIGCONT)
    }

    /// What the server has logged.
    public var log: String { process.withLock { $0 }?.output ?? "" }

    /// Its address, database 0.
    public var url: String { "redis://127.0.0.1:\(port)/0" }

    /// Runs a command with `redis-cli`: for what a test needs beside the client under test.
    @discardableResult
    public func cli(_ arguments: String...) async throws -> String {
        try await run(["redis-cli", "-h", "127.0.0.1", "-p", "\(port)"] + arguments)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
