/// An opaque bearer token: 32 lowercase hexadecimal digits from 128 random bits.
public struct Token: Sendable, Hashable, CustomStringConvertible {
    /// Digits in a token.
    public static let length = 32

    // As numbers: every request has one, and this costs no memory of its own.
    private let high: UInt64
    private let low: UInt64

    /// A new token from the system's cryptographic source.
    public static func random() -> Token {
        var generator = SystemRandomNumberGenerator()
        return Token(high: generator.next(), low: generator.next())
    }

    /// A token as a client wrote it, or nil if it can't be one. Upper-case digits are not ours.
    public init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let token = text.withUTF8({ Token(digits: $0) }) else { return nil }
        self = token
    }

    /// The token of an `Authorization` field: bare, or after the scheme `Token` or `Bearer` in any case.
    public init?(authorization field: some StringProtocol) {
        var field = String(field)
        guard let token = field.withUTF8({ Token(field: $0) }) else { return nil }
        self = token
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    private init?(field: UnsafeBufferPointer<UInt8>) {
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var start = 0
        var end = field.count
        while start < end, isSpace(field[start]) { start += 1 }
        while end > start, isSpace(field[end - 1]) { end -= 1 }
        guard var word = (start..<end).first(where: { isSpace(field[$0]) }) else {
            self.init(digits: .init(rebasing: field[start..<end]))
            return
        }
        let scheme = field[start..<word]
        guard Self.isWord(scheme, "token") || Self.isWord(scheme, "bearer") else { return nil }
        while isSpace(field[word]) { word += 1 }
        self.init(digits: .init(rebasing: field[word..<end]))
    }

    private static func isWord(_ text: Slice<UnsafeBufferPointer<UInt8>>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { word in
            text.count == word.count
                // A letter and its upper case differ in one bit.
                && zip(text, word).allSatisfy { $0 | 0x20 == $1 }
        }
    }

    private init?(digits: UnsafeBufferPointer<UInt8>) {
        guard digits.count == Self.length else { return nil }
        var numbers: (UInt64, UInt64) = (0, 0)
        for index in 0..<16 {
            guard let high = Hex.value(of: digits[index]), let low = Hex.value(of: digits[index + 16]) else {
                return nil
            }
            numbers.0 = numbers.0 << 4 | UInt64(high)
            numbers.1 = numbers.1 << 4 | UInt64(low)
        }
        self.init(high: numbers.0, low: numbers.1)
    }

    var ascii: [UInt8] {
        let bytes = withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
        return Hex.encode(bytes)
    }

    /// The token itself, to be handed to its owner once and written nowhere else.
    public var secret: String { String(decoding: ascii, as: UTF8.self) }

    public var description: String { "Token(…)" }
}

extension Token: CustomReflectable {
    /// `dump` and string interpolation of an enclosing value reflect: they don't get the digits either.
    public var customMirror: Mirror { Mirror(self, children: []) }
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

    static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
