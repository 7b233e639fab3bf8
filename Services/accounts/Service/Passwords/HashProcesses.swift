import Synchronization

/// As many ``HashProcess``es as are needed at once. Each starts when it is first needed.
final class HashProcesses: Sendable {
    private let executable: String
    private let idle = Mutex<[HashProcess]>([])

    /// - Parameter executable: the path of accounts.
    init(executable: String) {
        self.executable = executable
    }

    /// Has a hash computed. Not for an event loop or the cooperative pool.
    ///
    /// - Throws: `HashProcess.Failure` when no process can be started, `Scrypt.Failure`.
    func derive(_ question: HashQuestion) throws -> [UInt8] {
        do {
            return try derive(question, by: take())
        } catch is HashProcess.Failure {
            // Somebody has ended it, such as a system that runs out of memory: the next one will do.
            return try derive(question, by: HashProcess(executable))
        }
    }

    private func derive(_ question: HashQuestion, by process: HashProcess) throws -> [UInt8] {
        do {
            let key = try process.derive(question)
            idle.withLock { $0.append(process) }
            return key
        } catch let failure as Scrypt.Failure {
            idle.withLock { $0.append(process) }
            throw failure
        }
    }

    private func take() throws -> HashProcess {
        try idle.withLock { $0.popLast() } ?? HashProcess(executable)
    }

    /// Ends those that have nothing to do.
    func end() {
        // Let go of, and so ended and waited for, outside the lock.
        _ = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
    }
}
