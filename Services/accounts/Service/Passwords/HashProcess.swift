#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A process that computes hashes, `accounts hash`. It knows neither passwords, of which it gets an HMAC, nor the pepper, nor any
/// setting.
///
/// A process of its own, because only a process can be last in the system's order without all of accounts being last: whoever
/// reads a profile would wait behind the hash that was begun before. Used by one thread at a time.
final class HashProcess: Sendable {
    /// It could not be started, or has ended, or does not answer.
    struct Failure: Error {}

    let pid: pid_t
    private let socket: HashSocket
    /// So long one hash may take at most, on whatever machine.
    private static let patience = timeval(tv_sec: 60, tv_usec: 0)

    /// - Parameter executable: the path of accounts.
    /// - Throws: ``Failure``.
    init(_ executable: String) throws {
        var ends: [Int32] = [-1, -1]
        #if os(Linux)
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        #else
        let type = SOCK_STREAM
        #endif
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Failure() }
        defer { close(ends[1]) }
        var patience = Self.patience
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        socket = HashSocket(descriptor: ends[0])
        guard let pid = Self.spawn(executable, input: ends[1]) else {
            close(ends[0])
            throw Failure()
        }
        self.pid = pid
    }

    deinit {
        close(socket.descriptor)
        // It holds nothing that could be lost.
        kill(pid, SIGKILL)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }

    /// Has a hash computed, which takes as long as it takes: not for an event loop or the cooperative pool.
    ///
    /// - Throws: ``Failure``, after which the process is of no more use; `Scrypt.Failure`.
    func derive(_ question: HashQuestion) throws -> [UInt8] {
        guard let bytes = question.bytes else { throw Scrypt.Failure() }
        guard socket.write(bytes), let outcome = socket.read(1)?.first.flatMap(HashServer.Outcome.init(rawValue:))
        else { throw Failure() }
        switch outcome {
        case .refused: throw Scrypt.Failure()
        case .done:
            guard let key = socket.read(question.length) else { throw Failure() }
            return key
        }
    }

    /// With no environment, and no descriptor but its input and our output, for what the system has to say of it.
    private static func spawn(_ executable: String, input: Int32) -> pid_t? {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        let arguments = ["accounts", "hash"].map { (text: String) in strdup(text) }
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        let environment: [UnsafeMutablePointer<CChar>?] = [nil]
        guard posix_spawn(&pid, executable, &actions, nil, arguments + [nil], environment) == 0 else { return nil }
        return pid
    }
}
