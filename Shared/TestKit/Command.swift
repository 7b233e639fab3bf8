import Foundation
import Synchronization

/// A command ended with an error, or could not start.
public struct CommandFailed: Error, CustomStringConvertible {
    let command: [String]
    let output: String

    public var description: String { "\(command.joined(separator: " ")) failed: \(output)" }
}

/// What a command that has ended left behind.
public struct CommandResult: Sendable {
    /// 0 for success.
    public let status: Int32
    /// Standard output and standard error.
    public let output: String
}

/// Runs a command to its end and gives its output.
/// - Parameter environment: all that it gets, or nil for ours.
/// - Throws: ``CommandFailed`` when its status is not 0.
@discardableResult
public func run(_ command: [String], environment: [String: String]? = nil, input: String? = nil) async throws -> String
{
    let result = try await runToEnd(command, environment: environment, input: input)
    guard result.status == 0 else { throw CommandFailed(command: command, output: result.output) }
    return result.output
}

/// Runs a command to its end, whatever its status.
/// - Throws: when it can't be started.
public func runToEnd(
    _ command: [String], environment: [String: String]? = nil, input: String? = nil
) async throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    if let environment { process.environment = environment }
    let output = Pipe()
    let text = Pipe()
    process.standardInput = input == nil ? FileHandle.nullDevice : text
    process.standardOutput = output
    process.standardError = output
    try spawn(process)
    if let input {
        try text.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try text.fileHandleForWriting.close()
    }
    let all = await readToEnd(output.fileHandleForReading)
    await offPool { process.waitUntilExit() }
    return CommandResult(status: process.terminationStatus, output: all)
}

func readToEnd(_ handle: FileHandle) async -> String {
    let descriptor = handle.fileDescriptor
    let bytes = await offPool {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
    withExtendedLifetime(handle) {}
    return String(decoding: bytes, as: UTF8.self)
}

/// Starts a process with no signal blocked: a child inherits the starting thread's mask, and Dispatch's workers, on which
/// Swift's tasks run, block nearly all, SIGTERM among them.
///
/// One at a time: Foundation learns of a child's end by a socket, and a child started at the same moment by another thread
/// would inherit that socket and hide the end for as long as it lives itself.
func spawn(_ process: Process) throws {
    try spawning.withLock { _ in
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }
}

private let spawning = Mutex(())

/// Runs what blocks on a thread of its own: two blocked threads of Swift's pool freeze a two-core machine.
func offPool<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}

/// The scripts this package shares between its tests and the stack.
enum Scripts {
    static let package: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let servers = package.appendingPathComponent("scripts/servers").path
}
