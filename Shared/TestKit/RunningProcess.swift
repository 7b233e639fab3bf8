import AsyncHTTPClient
import Foundation
import NIOCore

/// One of our executables, running as it would in production, with its output kept. It dies with the test process.
public struct RunningProcess: Sendable {
    /// What runs, for messages.
    public let name: String
    private let process: GuardedProcess

    /// Starts an executable of this package; another release's when `RELEASE_OF_<NAME>` names a folder with one.
    /// - Parameters:
    ///   - executable: the product's name, `accounts`; or the path of what is not ours.
    ///   - environment: all its settings. Only PATH, HOME and TZ are passed on from ours.
    ///   - folder: its current folder, so that no `.env` of the developer's is read.
    ///   - readyURL: an address that answers 200 when it is ready, or nil to return at once.
    /// - Throws: when it ends or isn't ready in time, with the end of its output.
    public static func start(
        _ executable: String, _ arguments: [String] = [], environment: [String: String], readyURL: String? = nil,
        within: Duration = .seconds(30)
    ) async throws -> RunningProcess {
        let path =
            executable.hasPrefix("/") ? executable : release(of: executable).appendingPathComponent(executable).path
        let name = URL(fileURLWithPath: path).lastPathComponent
        let folder = try await TestFolder.make(name)
        let process = try await GuardedProcess.start(
            ["env", "-C", folder.path, path] + arguments,
            environment: inherited.merging(environment) { $1 }, log: folder.appendingPathComponent("log"))
        let running = RunningProcess(name: name, process: process)
        if let readyURL { try await running.waitUntilReady(readyURL, within: within) }
        return running
    }

    /// Waits until it answers 200 at an address.
    /// - Throws: when it ends or doesn't in time, with the end of its output.
    public func waitUntilReady(_ url: String, within: Duration = .seconds(30)) async throws {
        try await ready(process, "\(name) at \(url)") {
            var request = HTTPClientRequest(url: url)
            request.headers.add(name: "connection", value: "close")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(2))
            return response.status.code == 200
        }
    }

    /// Runs a command of one of our executables to its end, always this release's.
    /// - Throws: ``CommandFailed`` when its status is not 0.
    @discardableResult
    public static func run(
        _ executable: String, _ arguments: [String], environment: [String: String]
    ) async throws -> String {
        let folder = try await TestFolder.make(executable)
        return try await TestKit.run(
            ["env", "-C", folder.path, products.appendingPathComponent(executable).path] + arguments,
            environment: inherited.merging(environment) { $1 })
    }

    /// Its process id.
    public var pid: Int32 { process.pid }

    /// Whether it has not ended.
    public var isRunning: Bool { process.isRunning }

    /// Its exit status (128 + n when signal n ended it), or nil while it runs.
    public var status: Int32? { process.status }

    /// All it has written, output and errors.
    public var output: String { process.output }

    /// Asks it to end (SIGTERM) and waits until it has.
    /// - Returns: its exit status.
    @discardableResult
    public func terminate(within: Duration = .seconds(60)) async throws -> Int32 {
        process.signal(SIGTERM)
        try await process.waitForExit(within: within)
        return process.status ?? -1
    }

    /// Kills it at once.
    public func kill9() async throws {
        process.signal(SIGKILL)
        try await process.waitForExit()
    }

    /// It stands still: connections stay open and nothing answers.
    public func freeze() { process.signal(SIGSTOP) }

    /// Ends a ``freeze()``.
    public func thaw() { process.signal(SIGCONT) }

    /// Resident memory in bytes (`VmRSS`, proc(5)), or nil when it has ended.
    public var residentMemory: Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return kibibytes * 1024
    }

    /// Where an executable of this package lies.
    public static func path(of executable: String) -> String { products.appendingPathComponent(executable).path }

    /// Where the build puts executables: beside the test bundle that is running.
    private static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()

    /// Where the executable lies that a test of releases side by side wants to run.
    private static func release(of executable: String) -> URL {
        ProcessInfo.processInfo.environment["RELEASE_OF_\(executable.uppercased())"].map { URL(fileURLWithPath: $0) }
            ?? products
    }

    private static let inherited = ProcessInfo.processInfo.environment.filter {
        ["PATH", "HOME", "TZ", "LD_LIBRARY_PATH"].contains($0.key)
    }
}
