import Foundation

/// A control group for each server, as containers have one: Linux shares the cores among groups first (cgroups(7), the
/// `cpu` controller of version 1). A process begins in the group of the one that starts it.
struct ControlGroups {
    /// The weight that a group has unless told otherwise, Docker's too.
    static let usualShares = 1024

    private static let folder = "/sys/fs/cgroup/cpu"

    /// - Returns: nil where there are none, or this process may not make any.
    init?() {
        do {
            try enter("client")
            try leave()
        } catch { return nil }
    }

    /// Moves this process into a group, which is made if need be.
    func enter(_ name: String, shares: Int = usualShares) throws {
        let group = Self.path(name)
        try FileManager.default.createDirectory(atPath: group, withIntermediateDirectories: true)
        try Self.write("\(shares)", to: "\(group)/cpu.shares")
        try Self.write("\(getpid())", to: "\(group)/cgroup.procs")
    }

    /// Back to where all processes are that have no group. Groups that nobody is in any more are removed.
    func leave() throws {
        try Self.write("\(getpid())", to: "\(Self.folder)/cgroup.procs")
        for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder) where name.hasPrefix(Self.prefix) {
            rmdir("\(Self.folder)/\(name)")
        }
    }

    private static let prefix = "techheroes-bench-"
    private static func path(_ name: String) -> String { "\(folder)/\(prefix)\(name)" }

    /// The kernel wants each value in one write, to a file that is there.
    private static func write(_ value: String, to path: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: Data("\(value)\n".utf8))
        try file.close()
    }
}
