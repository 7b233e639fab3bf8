import Foundation
import Synchronization

/// A process that dies with this one, however this one ends: `scripts/servers guard` is its parent, and kills it when a
/// pipe closes that only we hold. (`PR_SET_PDEATHSIG` would fire when the starting thread ends, not the process.)
final class GuardedProcess: Sendable {
    /// The process itself, not its guard.
    let pid: Int32
    /// Where its output goes.
    let log: URL

    private let lifeline: FileHandle
    private let exit: ExitStatus

    /// - Parameters:
    ///   - command: an executable and its arguments, or a command of `scripts/servers`.
    ///   - environment: all that it gets, or nil for ours.
    static func start(_ command: [String], environment: [String: String]? = nil, log: URL) async throws
        -> GuardedProcess
    {
        let lifeline = Pipe()
        let output = Pipe()
        let exit = ExitStatus()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [Scripts.servers, "guard", log.path] + command
        process.environment = environment ?? ProcessInfo.processInfo.environment
        process.standardInput = lifeline
        process.standardOutput = output
        process.terminationHandler = { exit.set($0.terminationStatus) }
        // A child started at the same moment by another thread must not inherit the end that says we live.
        _ = fcntl(lifeline.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        try spawn(process)
        let line = await readToEnd(output.fileHandleForReading)
        guard let pid = Int32(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw CommandFailed(command: command, output: (try? String(contentsOf: log, encoding: .utf8)) ?? "")
        }
        return GuardedProcess(pid: pid, log: log, lifeline: lifeline.fileHandleForWriting, exit: exit)
    }

    private init(pid: Int32, log: URL, lifeline: FileHandle, exit: ExitStatus) {
        self.pid = pid
        self.log = log
        self.lifeline = lifeline
        self.exit = exit
    }

    deinit {
        try? lifeline.close()
    }

    /// Its exit status (128 + n when signal n ended it), or nil while it runs.
    var status: Int32? { exit.value }

    var isRunning: Bool { status == nil }

    /// All it has written, output and errors.
    var output: String { (try? String(decoding: Data(contentsOf: log), as: UTF8.self)) ?? "" }

    /// Sends a signal to it, unless it has ended.
    func signal(_ signal: Int32) {
        if isRunning { kill(pid, signal) }
    }

    /// Sends SIGSTOP, SIGCONT or SIGKILL to it and its children (Postgres has a process for each connection).
    func signalAll(_ signal: Int32) {
        guard isRunning else { return }
        // While it stands still it starts no child that would be missed; a stopped process can still be killed.
        kill(pid, SIGSTOP)
        let family = [pid] + children(of: pid)
        for pid in family { kill(pid, signal) }
    }

    /// Waits until it has ended, and kills it when it hasn't in time.
    func waitForExit(within: Duration = .seconds(20)) async throws {
        do {
            try await eventually(within: within, "the end of process \(pid)") { !self.isRunning }
        } catch {
            signalAll(SIGKILL)
            throw error
        }
    }

    private func children(of parent: Int32) -> [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap(Int32.init).filter { pid in
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let afterName = stat.lastIndex(of: ")")
            else { return false }
            // After the name in parentheses come the state and the parent's pid (proc(5)).
            let fields = stat[stat.index(after: afterName)...].split(separator: " ")
            return fields.count > 1 && fields[1] == "\(parent)"
        }
    }
}

private final class ExitStatus: Sendable {
    private let status = Mutex<Int32?>(nil)

    var value: Int32? { status.withLock { $0 } }

    func set(_ value: Int32) { status.withLock { $0 = value } }
}
