import Foundation
import Synchronization

/// The folder of this test process; it is removed when the process has ended, however it ended.
///
/// Not under `TMPDIR`, which only root may be able to reach: Postgres runs as another user then.
enum TestFolder {
    private static let root = Task { try await make() }

    /// A new folder with a name of its own.
    static func make(_ name: String) async throws -> URL {
        let number = count.withLock { count in
            count += 1
            return count
        }
        let folder = try await root.value.folder.appendingPathComponent("\(name)-\(number)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static let count = Mutex(0)

    private static func make() async throws -> (folder: URL, janitor: Process, lifeline: Pipe) {
        let folder = URL(fileURLWithPath: "/tmp/techheroes-tests-\(UUID().uuidString.prefix(8).lowercased())")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        let lifeline = Pipe()
        _ = fcntl(lifeline.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        let janitor = Process()
        janitor.executableURL = URL(fileURLWithPath: "/bin/bash")
        janitor.arguments = [Scripts.servers, "janitor", folder.path]
        janitor.standardInput = lifeline
        janitor.standardOutput = FileHandle.nullDevice
        try spawn(janitor)
        return (folder, janitor, lifeline)
    }
}

/// A new, empty folder that is removed when this test process ends.
public func temporaryFolder(_ name: String = "folder") async throws -> URL {
    try await TestFolder.make(name)
}
