import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The one secret of an installation, from which every other key is derived.
///
/// It never appears in a description, so that it can't reach a log by accident.
public struct SecretKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Fewer characters than this are refused: a key that can be guessed protects nothing.
    public static let minimumLength = 32

    /// What a derived key is for; a key of one purpose says nothing about another's (RFC 5869, `info`).
    public enum Purpose: String, Sendable {
        /// Signs what the gateway tells a service about the caller, and one service about itself.
        case identity
        /// Peppers password hashes.
        case passwordPepper = "password-pepper"
        /// Hashes verification and reset codes at rest.
        case code
        /// Seals messages until they have left.
        case delivery
        /// Seals the opaque cursors of a list.
        case cursor
        /// Seals answers that are kept for a client that repeats its request.
        case idempotency
    }

    private let key: SymmetricKey

    /// - Throws: `SecretKeyError.tooShort` for fewer than ``minimumLength`` characters.
    public init(_ secret: String) throws(SecretKeyError) {
        guard secret.unicodeScalars.count >= Self.minimumLength else { throw .tooShort }
        self.key = SymmetricKey(data: Data(secret.utf8))
    }

    /// A key of 32 bytes for one purpose, by HKDF with SHA-256 (RFC 5869).
    public func derived(_ purpose: Purpose) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key, salt: Data("techheroes".utf8), info: Data(purpose.rawValue.utf8), outputByteCount: 32
        )
    }

    /// What is stored of a token: HMAC-SHA-256 with the secret itself as key.
    public func hash(of token: Token) -> TokenHash {
        TokenHash(bytes: Array(HMAC<SHA256>.authenticationCode(for: token.ascii, using: key)))
    }

    public var description: String { "SecretKey(…)" }
    public var debugDescription: String { description }
}

/// Why a secret was refused.
public enum SecretKeyError: Error, CustomStringConvertible {
    case tooShort

    public var description: String { "SECRET_KEY must have at least \(SecretKey.minimumLength) characters" }
}
