/// What a code proves.
public enum CodePurpose: String, Sendable, Hashable, CaseIterable {
    /// That mail to an address arrives.
    case email
    /// That an SMS to a number arrives.
    case phone
    /// That whoever wants a new password reads the account's mail.
    case password

    /// The number of characters in a code of this purpose.
    public var codeLength: Int {
        switch self {
        case .email: 10
        case .phone: 6
        case .password: 8
        }
    }
}

/// A short secret that is sent to an address or a number, to be given back once.
public struct VerificationCode: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Lower-case letters and digits but those that are taken for one another: 0 and o, 1, i and l.
    public static let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789".utf8)

    /// Wrong tries after which a code is dead.
    public static let maximumTries = 5

    /// How much of a code for a new password tells which code is meant. Whoever tries one isn't known, so a wrong try
    /// counts against the live codes that begin the same way; the rest is what has to be guessed.
    public static let selectorLength = 4

    /// What the code proves.
    public let purpose: CodePurpose
    /// The code itself, to be sent and to be hashed.
    public let secret: String

    /// A new code.
    ///
    /// - Parameter generator: a cryptographic source.
    public static func random(
        for purpose: CodePurpose, using generator: inout some RandomNumberGenerator
    ) -> VerificationCode {
        let characters = (0..<purpose.codeLength).map { _ in
            alphabet[Int.random(in: alphabet.indices, using: &generator)]
        }
        return VerificationCode(purpose: purpose, secret: String(decoding: characters, as: UTF8.self))
    }

    /// A code as a client typed it: trimmed, in lower case. Any letters and digits will do; one that can't be ours is
    /// just wrong.
    ///
    /// - Throws: `InvalidValue` if it can't be a code of this purpose at all.
    public init(_ text: String, for purpose: CodePurpose) throws(InvalidValue) {
        let code = text.trimmingWhitespace().lowercased()
        guard code.utf8.count == purpose.codeLength, code.utf8.allSatisfy(Self.isLetterOrDigit) else {
            throw InvalidValue("Enter a code of \(purpose.codeLength) letters and digits.")
        }
        self.init(purpose: purpose, secret: code)
    }

    private init(purpose: CodePurpose, secret: String) {
        self.purpose = purpose
        self.secret = secret
    }

    /// The part of the code that tells which one is meant.
    public var selector: String { String(secret.prefix(Self.selectorLength)) }

    public var description: String { "VerificationCode(\(purpose.rawValue), …)" }
    public var debugDescription: String { description }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
