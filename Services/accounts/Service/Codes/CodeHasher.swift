import AccountsDomain
import Crypto
import Identity

/// What is kept of a code: an HMAC under a derived key, from which it can't be found again.
public struct CodeHasher: Sendable {
    private let key: SymmetricKey

    public init(_ secret: SecretKey) {
        self.key = secret.derived(.code)
    }

    /// 32 bytes for a whole code.
    public func hash(_ code: VerificationCode) -> [UInt8] {
        mac("code:\(code.purpose.rawValue):\(code.secret)")
    }

    /// 32 bytes for the part of a password's code that tells which one is meant, nil for other codes: those are looked
    /// for by their user.
    public func selector(_ code: VerificationCode) -> [UInt8]? {
        code.purpose == .password ? mac("selector:\(code.selector)") : nil
    }

    /// 32 bytes for an address or number that was sent something.
    public func destination(channel: String, _ destination: String) -> [UInt8] {
        mac("destination:\(channel):\(destination)")
    }

    private func mac(_ text: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }
}
