import Crypto
import Identity

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Seals messages while they wait in Postgres (AES-GCM under a derived key): a copy of the database gives away no
/// address that nobody verified, and no code.
struct MessageSeal: Sendable {
    private let key: SymmetricKey

    init(_ secret: SecretKey) {
        self.key = secret.derived(.delivery)
    }

    func seal(_ message: Message) throws -> [UInt8] {
        let box = try AES.GCM.seal(try JSONEncoder().encode(message), using: key)
        guard let combined = box.combined else { throw CryptoKitError.incorrectParameterSize }
        return Array(combined)
    }

    /// - Throws: when it isn't a message that ``seal(_:)`` sealed with this key.
    func open(_ sealed: [UInt8]) throws -> Message {
        let box = try AES.GCM.SealedBox(combined: sealed)
        return try JSONDecoder().decode(Message.self, from: AES.GCM.open(box, using: key))
    }
}
