/// An opaque bearer token: 32 lowercase hexadecimal digits from 128 random bits.
public struct Token: Sendable, Hashable, CustomStringConvertible {
    /// Digits in a token.
    public static let length = 32

    let ascii: [UInt8]

    /// A new token from the system's cryptographic source.
    public static func random() -> Token {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<(length / 2)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return Token(ascii: Hex.encode(bytes))
    }

    /// A token as a client wrote it, or nil if it can't be one. Upper-case digits are not ours.
    public init?(_ text: some StringProtocol) {
        let ascii = Array(text.utf8)
        guard ascii.count == Self.length, ascii.allSatisfy(Hex.isLowercaseDigit) else { return nil }
        self.ascii = ascii
    }

    /// The token of an `Authorization` field: bare, or after the scheme `Token` or `Bearer` in any case.
    public init?(authorization field: some StringProtocol) {
        let words = field.split(omittingEmptySubsequences: true, whereSeparator: { $0 == " " || $0 == "\t" })
        switch words.count {
        case 1:
            self.init(words[0])
        case 2 where ["token", "bearer"].contains(words[0].lowercased()):
            self.init(words[1])
        default:
            return nil
        }
    }

    private init(ascii: [UInt8]) {
        self.ascii = ascii
    }

    /// The token itself, to be handed to its owner once and written nowhere else.
    public var secret: String { String(decoding: ascii, as: UTF8.self) }

    public var description: String { "Token(…)" }
}

/// What is kept of a token, in Postgres and in Redis: an HMAC from which it can't be found again.
public struct TokenHash: Sendable, Hashable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// - Parameter bytes: the 32 bytes of the HMAC.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A hash as ``hex`` writes it, or nil.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64, let bytes = Hex.decode(hex.utf8) else { return nil }
        self.bytes = bytes
    }

    /// 64 lowercase hexadecimal digits.
    public var hex: String { String(decoding: Hex.encode(bytes), as: UTF8.self) }

    public var description: String { "TokenHash(…)" }
}

/// Base 16, lower case (RFC 4648, section 8).
enum Hex {
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }

    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for digit in text {
            guard let value = value(of: digit) else { return nil }
            if let half = high {
                bytes.append(half << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return high == nil ? bytes : nil
    }

    static func isLowercaseDigit(_ digit: UInt8) -> Bool { value(of: digit) != nil }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
