import Crypto
import Identity

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Seals answers at rest (AES-GCM): some hold tokens. What is sealed for one caller's key and request opens for nothing
/// else, so that rows which change places are worth nothing.
struct AnswerSeal: Sendable {
    /// A kept answer can't be opened: the table was changed by another hand.
    struct Broken: Error, CustomStringConvertible {
        var description: String { "a kept answer can't be opened" }
    }

    /// Hashes what identifies a request.
    let hashing: SymmetricKey
    private let sealing: SymmetricKey

    init(_ secret: SecretKey) {
        let key = secret.derived(.idempotency)
        // One key for each use (NIST SP 800-57, 5.2).
        func derived(_ use: String) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: Data(use.utf8), outputByteCount: 32)
        }
        self.hashing = derived("hash")
        self.sealing = derived("seal")
    }

    func seal(_ answer: StoredAnswer, for request: KeyedRequest) throws -> [UInt8] {
        let box = try AES.GCM.seal(answer.bytes, using: sealing, authenticating: request.key + request.request)
        guard let combined = box.combined else { throw CryptoKitError.incorrectParameterSize }
        return Array(combined)
    }

    /// - Throws: ``Broken``.
    func open(_ sealed: [UInt8], for request: KeyedRequest) throws(Broken) -> StoredAnswer {
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: sealing, authenticating: request.key + request.request),
            let answer = StoredAnswer(bytes: Array(bytes))
        else { throw Broken() }
        return answer
    }
}
