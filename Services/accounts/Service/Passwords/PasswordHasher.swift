import Crypto
import Identity
import Metrics
import NIOCore
import NIOPosix
import ServiceKit
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Hashes and checks passwords on threads of its own, as many as there are cores, which run when no others want to: whoever signs
/// in waits for a fifth of a second anyway, and must not make others wait.
public final class PasswordHasher: Service {
    private let threads: NIOThreadPool
    private let pepper: SymmetricKey
    private let parameters: Scrypt.Parameters
    private let limit: Int
    private let inHand = Atomic<Int>(0)
    private let waiting = Gauge(label: "password_hashes_in_hand")
    private let decoy: PasswordHash

    /// - Parameters:
    ///   - secret: gives the pepper: hashes are useless to whoever has the database alone.
    ///   - threads: how many hashes are computed at once.
    ///   - queue: how many more may wait; beyond that callers are sent away.
    public init(
        secret: SecretKey, parameters: Scrypt.Parameters = .standard, threads: Int = System.coreCount, queue: Int = 64
    ) {
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.pepper = secret.derived(.passwordPepper)
        self.parameters = parameters
        self.limit = threads + queue
        self.decoy = PasswordHash(
            parameters: parameters, salt: Self.randomBytes(16), hash: Self.randomBytes(32))
        self.threads.start()
    }

    /// Stays until shutdown, then ends the threads.
    public func run() async throws {
        try await gracefulShutdown()
        try await threads.shutdownGracefully()
    }

    /// The hash to store of a new password.
    ///
    /// - Throws: a ``Problem`` (503) when too many wait already.
    public func hash(_ password: String) async throws -> PasswordHash {
        let parameters = parameters
        let passphrase = peppered(password)
        return try await onThread {
            let salt = Self.randomBytes(16)
            return PasswordHash(
                parameters: parameters, salt: salt,
                hash: try Scrypt.derive(passphrase: passphrase, salt: salt, parameters, length: 32))
        }
    }

    /// Whether a password is the one whose hash was stored. Without a hash it takes as long and the answer is no, so
    /// that nobody learns from the time which accounts there are.
    ///
    /// - Throws: a ``Problem`` (503) when too many wait already.
    public func verify(_ password: String, against stored: PasswordHash?) async throws -> Bool {
        let passphrase = peppered(password)
        let expected = stored ?? decoy
        let isRight = try await onThread {
            let hash = try Scrypt.derive(
                passphrase: passphrase, salt: expected.salt, expected.parameters, length: expected.hash.count)
            return PasswordHash.isEqual(hash, expected.hash)
        }
        return isRight && stored != nil
    }

    /// Whether a hash was made with other parameters than new ones are.
    public func isOutdated(_ hash: PasswordHash) -> Bool {
        hash.parameters != parameters
    }

    private func peppered(_ password: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(password.utf8), using: pepper))
    }

    private func onThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        let count = inHand.add(1, ordering: .relaxed).newValue
        defer { waiting.record(inHand.subtract(1, ordering: .relaxed).newValue) }
        waiting.record(count)
        guard count <= limit else { throw Problem.unavailable(retryAfter: 2) }
        return try await threads.runIfActive {
            Self.yieldToOthers()
            return try work()
        }
    }

    /// On Linux the policy belongs to the thread. Said again for each hash: it costs nothing beside one.
    ///
    /// A thread of SCHED_IDLE (sched(7)) gives way at once to any other that wakes; one that is only nice ends its slice
    /// of some milliseconds first, and every request behind it would wait for that.
    private static func yieldToOthers() {
        #if os(Linux)
        // SCHED_IDLE of <linux/sched.h>, which Swift does not import.
        let idlePolicy: Int32 = 5
        var parameters = sched_param(sched_priority: 0)
        _ = sched_setscheduler(0, idlePolicy, &parameters)
        #endif
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
