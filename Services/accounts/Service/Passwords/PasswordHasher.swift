import Crypto
import Identity
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Hashes and checks passwords in processes of its own, as many at once as there are cores, which run when no others want to:
/// whoever signs in waits for a fifth of a second anyway, and must not make others wait.
public final class PasswordHasher: Service {
    /// Each waits for one process at a time.
    private let threads: NIOThreadPool
    private let processes: HashProcesses
    private let pepper: SymmetricKey
    private let parameters: Scrypt.Parameters
    private let limit: Int
    private let inHand = Atomic<Int>(0)
    private let waiting = Gauge(label: "password_hashes_in_hand")
    private let decoy: PasswordHash
    private let logger: Logger

    /// - Parameters:
    ///   - secret: gives the pepper: hashes are useless to whoever has the database alone.
    ///   - threads: how many hashes are computed at once.
    ///   - queue: how many more may wait; beyond that callers are sent away.
    ///   - executable: the path of accounts, which hashes as `accounts hash`; the one that runs, unless it is not accounts.
    public init(
        secret: SecretKey, parameters: Scrypt.Parameters = .standard, threads: Int = System.coreCount, queue: Int = 64,
        executable: String = "/proc/self/exe", logger: Logger
    ) {
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.processes = HashProcesses(executable: executable)
        self.pepper = secret.derived(.passwordPepper)
        self.parameters = parameters
        self.limit = threads + queue
        self.logger = logger
        self.decoy = PasswordHash(
            parameters: parameters, salt: Self.randomBytes(16), hash: Self.randomBytes(32))
        self.threads.start()
    }

    /// Stays until shutdown, then ends the threads and processes.
    public func run() async throws {
        try await gracefulShutdown()
        try await threads.shutdownGracefully()
        processes.end()
    }

    /// The hash to store of a new password.
    ///
    /// - Throws: a ``Problem`` (503) when too many wait already.
    public func hash(_ password: String) async throws -> PasswordHash {
        let salt = Self.randomBytes(16)
        let question = HashQuestion(passphrase: peppered(password), salt: salt, parameters: parameters, length: 32)
        return PasswordHash(parameters: parameters, salt: salt, hash: try await derive(question))
    }

    /// Whether a password is the one whose hash was stored. Without a hash it takes as long and the answer is no, so
    /// that nobody learns from the time which accounts there are.
    ///
    /// - Throws: a ``Problem`` (503) when too many wait already.
    public func verify(_ password: String, against stored: PasswordHash?) async throws -> Bool {
        let expected = stored ?? decoy
        let hash = try await derive(
            HashQuestion(
                passphrase: peppered(password), salt: expected.salt, parameters: expected.parameters,
                length: expected.hash.count))
        return PasswordHash.isEqual(hash, expected.hash) && stored != nil
    }

    /// Whether a hash was made with other parameters than new ones are.
    public func isOutdated(_ hash: PasswordHash) -> Bool {
        hash.parameters != parameters
    }

    private func peppered(_ password: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(password.utf8), using: pepper))
    }

    private func derive(_ question: HashQuestion) async throws -> [UInt8] {
        let count = inHand.add(1, ordering: .relaxed).newValue
        defer { waiting.record(inHand.subtract(1, ordering: .relaxed).newValue) }
        waiting.record(count)
        guard count <= limit else { throw Problem.unavailable(retryAfter: 2) }
        do {
            return try await threads.runIfActive { [processes] in try processes.derive(question) }
        } catch is HashProcess.Failure {
            logger.error("no process that hashes passwords can be started, or it ends before it has answered")
            throw Problem.unavailable(retryAfter: 2)
        }
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
