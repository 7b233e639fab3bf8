import COpenSSL

/// scrypt (RFC 7914), by OpenSSL.
public enum Scrypt {
    /// What the work of a hash depends on.
    public struct Parameters: Sendable, Hashable {
        /// The binary logarithm of N, the cost in time and memory.
        public var logN: Int
        /// The block size.
        public var r: Int
        /// The parallelism.
        public var p: Int

        /// Any: what won't do is refused by ``Scrypt/derive(passphrase:salt:_:length:)``.
        public init(logN: Int, r: Int, p: Int) {
            self.logN = logN
            self.r = r
            self.p = p
        }

        /// What passwords are hashed with: some 0.2 s and 32 MiB.
        public static let standard = Parameters(logN: 15, r: 8, p: 3)
    }

    /// OpenSSL refused: parameters out of range, or no memory.
    public struct Failure: Error, Sendable {}

    /// Derives a key. It computes for as long as the parameters say: not for an event loop or the cooperative pool.
    ///
    /// - Parameter length: bytes in the key.
    /// - Throws: ``Failure``.
    public static func derive(
        passphrase: [UInt8], salt: [UInt8], _ parameters: Parameters, length: Int
    ) throws(Failure) -> [UInt8] {
        guard (1...30).contains(parameters.logN), (1...64).contains(parameters.r), (1...64).contains(parameters.p)
        else {
            throw Failure()
        }
        let n = UInt64(1) << UInt64(parameters.logN)
        // The memory that OpenSSL may take: V of N blocks, B of p blocks and some working space, doubled.
        let limit = 2 * 128 * UInt64(parameters.r) * (n + UInt64(parameters.p) + 2)
        var key = [UInt8](repeating: 0, count: length)
        let done = passphrase.withUnsafeBytes { passphrase in
            salt.withUnsafeBytes { salt in
                key.withUnsafeMutableBytes { key in
                    EVP_PBE_scrypt(
                        passphrase.baseAddress?.assumingMemoryBound(to: CChar.self), passphrase.count,
                        salt.baseAddress?.assumingMemoryBound(to: UInt8.self), salt.count,
                        n, UInt64(parameters.r), UInt64(parameters.p), limit,
                        key.baseAddress?.assumingMemoryBound(to: UInt8.self), key.count)
                }
            }
        }
        guard done == 1 else { throw Failure() }
        return key
    }
}
