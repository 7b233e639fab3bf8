import Foundation
import Synchronization

/// A private Postgres on 127.0.0.1 that lives as long as the test process at most, in a folder that goes with it.
public final class TestPostgres: Sendable {
    /// How to stop the server (PostgreSQL documentation, 19.5 "Shutting Down the Server").
    public enum StopMode: Sendable {
        /// Ends sessions, then shuts down cleanly.
        case fast
        /// Ends at once; the next start recovers.
        case immediate
    }

    /// Its TCP port, the same after a restart.
    public let port: Int

    private let folder: URL
    private let password: String
    private let settings: [String: String]
    private let process = Mutex<GuardedProcess?>(nil)
    private let count = Mutex(0)
    private let templates = Mutex<[String: Task<String, any Error>]>([:])

    private static let common = Task { try await start() }
    /// initdb takes most of a second; its result is copied for every server after the first.
    private static let pristine = Task {
        let folder = try await TestFolder.make("initdb")
        let password = UUID().uuidString
        let file = folder.appendingPathComponent("password")
        try Data(password.utf8).write(to: file)
        let cluster = folder.appendingPathComponent("data")
        try await run([Scripts.servers, "postgres-init", cluster.path, file.path])
        return (cluster: cluster, password: password)
    }

    /// The server all tests of this process share. A test that stops or freezes a server starts its own.
    public static func shared() async throws -> TestPostgres {
        try await common.value
    }

    /// Starts a server of the caller's own.
    /// - Parameter settings: server settings (postgresql.conf), beside or instead of ours.
    /// - Throws: when it can't be started, with the end of its log.
    public static func start(settings: [String: String] = [:]) async throws -> TestPostgres {
        let (cluster, password) = try await pristine.value
        let folder = try await TestFolder.make("postgres")
        try await run(["cp", "-a", cluster.path, folder.appendingPathComponent("data").path])
        let server = TestPostgres(port: try freePort(), folder: folder, password: password, settings: settings)
        try await server.start()
        return server
    }

    private init(port: Int, folder: URL, password: String, settings: [String: String]) {
        self.port = port
        self.folder = folder
        self.password = password
        // What has been acknowledged survives a kill of every process, though not of the machine.
        let quick = [
            "fsync": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "32MB",
            "max_wal_senders": "0", "wal_level": "minimal",
        ]
        self.settings = quick.merging(settings) { $1 }
    }

    /// Starts the server again after it was stopped or killed; returns when it answers.
    /// - Throws: when it doesn't, with the end of its log.
    public func start() async throws {
        let options = settings.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
        let data = folder.appendingPathComponent("data")
        let process = try await GuardedProcess.start(
            ["hold", folder.appendingPathComponent("lock").path, Scripts.servers, "postgres", data.path, "\(port)"]
                + options,
            log: folder.appendingPathComponent("log"))
        self.process.withLock { $0 = process }
        try await ready(process, "Postgres on port \(port)") {
            // The server writes its state into the eighth line (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
            let file = try String(contentsOf: data.appendingPathComponent("postmaster.pid"), encoding: .utf8)
            let lines = file.split(separator: "\n", omittingEmptySubsequences: false)
            return lines.count > 7 && lines[0] == "\(process.pid)" && lines[7].hasPrefix("ready")
        }
    }

    /// Stops the server and waits until it is gone.
    public func stop(_ mode: StopMode = .fast) async throws {
        guard let process = process.withLock({ $0 }) else { return }
        process.signal(mode == .fast ? SIGINT : SIGQUIT)
        try await process.waitForExit()
    }

    /// Kills every process of the server at once.
    public func kill9() async throws {
        guard let process = process.withLock({ $0 }) else { return }
        process.signalAll(SIGKILL)
        try await process.waitForExit()
    }

    /// Stops and starts it.
    public func restart(_ mode: StopMode = .fast) async throws {
        try await stop(mode)
        try await start()
    }

    /// The process that all backends are children of.
    public var pid: Int32 { process.withLock { $0 }?.pid ?? 0 }

    /// Every process of the server stands still: connections stay open and nothing answers.
    public func freeze() {
        process.withLock { $0 }?.signalAll(SIGSTOP)
    }

    /// Ends a ``freeze()``.
    public func thaw() {
        process.withLock { $0 }?.signalAll(SIGCONT)
    }

    /// What the server has logged.
    public var log: String { process.withLock { $0 }?.output ?? "" }

    /// The superuser's connection string (libpq key words) for a database of this server.
    public func conninfo(database: String = "postgres") -> String {
        "host=127.0.0.1 port=\(port) user=postgres password=\(password) dbname=\(database)"
    }

    /// The same as a URI; `user` and `password` for a role that the caller has made.
    public func uri(database: String = "postgres", user: String? = nil, password: String? = nil) -> String {
        "postgres://\(user ?? "postgres"):\(password ?? self.password)@127.0.0.1:\(port)/\(database)"
    }

    /// Makes a fresh, empty database.
    /// - Returns: its name, for ``conninfo(database:)`` or ``uri(database:user:password:)``.
    public func database() async throws -> String {
        try await create(from: "template0")
    }

    /// Makes a copy of a template, which is made once.
    /// - Parameters:
    ///   - template: what it is called, once for each content.
    ///   - prepare: fills the template's database, given by name; its connections must be closed when it returns.
    /// - Returns: the copy's name.
    public func database(
        template: String, prepare: @escaping @Sendable (_ database: String) async throws -> Void
    ) async throws -> String {
        let task = templates.withLock { templates in
            if let task = templates[template] { return task }
            let task = Task {
                let name = try await self.create(from: "template0")
                try await prepare(name)
                return name
            }
            templates[template] = task
            return task
        }
        return try await create(from: task.value)
    }

    /// Runs SQL with `psql` as superuser: for what a test needs beside the client under test.
    /// - Returns: the rows, unaligned: `|` between columns, a line for each row.
    @discardableResult
    public func psql(_ sql: String, database: String = "postgres") async throws -> String {
        let command = [
            "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
            "--dbname=\(uri(database: database))",
        ]
        return try await run(command, input: sql).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func create(from template: String) async throws -> String {
        let number = count.withLock { count in
            count += 1
            return count
        }
        let name = "test_\(number)"
        try await psql("CREATE DATABASE \(name) TEMPLATE \(template)")
        return name
    }
}

/// Waits until a server says that it is ready, or has ended.
func ready(_ process: GuardedProcess, _ what: String, _ isReady: () async throws -> Bool) async throws {
    do {
        try await eventually(within: .seconds(60), what) {
            guard process.isRunning else { return true }
            return try await isReady()
        }
    } catch {
        throw CommandFailed(command: [what], output: "\(error)\n\(process.output.suffix(4000))")
    }
    guard process.isRunning else { throw CommandFailed(command: [what], output: String(process.output.suffix(4000))) }
}
