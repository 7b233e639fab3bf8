import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who a request comes from, as the gateway (or another service of ours) vouches for it.
public enum Claims: Sendable, Hashable {
    /// No token, or one that stands for nobody.
    case anonymous
    /// A live token's owner.
    case user(User)
    /// A token was given, but neither Redis nor accounts could say whose it is. Whoever needs to know answers 503.
    case unverifiable
    /// One of our own processes, by name.
    case service(String)

    /// The signed-in user of a request.
    public struct User: Sendable, Hashable {
        /// Who it is.
        public var id: UUID
        /// What they may do.
        public var flags: UserFlags
        /// The number of the token that the request came with, which is no secret.
        public var tokenID: Int64

        /// As the token's record says.
        public init(id: UUID, flags: UserFlags, tokenID: Int64) {
            self.id = id
            self.flags = flags
            self.tokenID = tokenID
        }
    }

    /// The field that carries signed claims from process to process. The gateway removes it from what clients send.
    public static let headerName = "x-techheroes-identity"
}

/// Signs and checks claims. A signature holds for a minute, for one method and one path (with its query), so that a
/// captured field can't be used for anything else.
public struct IdentitySeal: Sendable {
    /// Seconds for which a signature is honoured.
    public static let lifetime: Int64 = 60

    /// Has taken in the key: a signature goes on from a copy.
    private let keyed: HMAC<SHA256>

    /// Seals with a key derived from the installation's.
    public init(_ secret: SecretKey) {
        self.keyed = HMAC(key: secret.derived(.identity))
    }

    /// The value of ``Claims/headerName`` for a request.
    ///
    /// - Parameters:
    ///   - path: the request target as it will be sent, query included.
    ///   - now: Unix time in seconds.
    public func sign(_ claims: Claims, method: String, path: String, now: Int64) -> String {
        withSignature(claims, method: method, path: path, now: now) { String(decoding: $0, as: UTF8.self) }
    }

    /// The same, as bytes that are there only while `body` runs.
    public func withSignature<Result>(
        _ claims: Claims, method: String, path: String, now: Int64, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        // Two numbers, a UUID or a name, the separators, and the code behind them.
        var name = 0
        if case .service(let text) = claims { name = text.utf8.count }
        let size = 192 + name + method.utf8.count + path.utf8.count
        return try withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { memory in
            var text = ASCIIWriter(memory)
            text.decimal(now + Self.lifetime)
            text.byte(UInt8(ascii: "."))
            claims.write(into: &text)
            let payload = text.count
            let code = code(behind: &text, method, path)
            text.count = payload
            text.byte(UInt8(ascii: "."))
            code.withUnsafeBytes { text.hex($0) }
            return try body(UnsafeRawBufferPointer(rebasing: memory[..<text.count]))
        }
    }

    /// The claims of a field that ``sign(_:method:path:now:)`` made for this very request, or nil.
    public func verify(_ field: String, method: String, path: String, now: Int64) -> Claims? {
        guard let dot = field.utf8.lastIndex(of: UInt8(ascii: ".")),
            let code = Hex.decode(field[field.index(after: dot)...].utf8)
        else { return nil }
        let payload = field[..<dot]
        let size = payload.utf8.count + method.utf8.count + path.utf8.count + 2
        let isSigned = withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { memory in
            var text = ASCIIWriter(memory)
            text.string(payload)
            // Compares in constant time.
            return self.code(behind: &text, method, path) == code
        }
        guard isSigned, let firstDot = payload.firstIndex(of: "."), let expires = Int64(payload[..<firstDot]),
            expires >= now, expires <= now + 2 * Self.lifetime
        else { return nil }
        return Claims(payload: payload[payload.index(after: firstDot)...])
    }

    /// The code of a payload that has been written, for one method and path.
    private func code(behind text: inout ASCIIWriter, _ method: String, _ path: String) -> HMAC<SHA256>.MAC {
        text.byte(UInt8(ascii: "\n"))
        text.string(method)
        text.byte(UInt8(ascii: "\n"))
        text.string(path)
        var hmac = keyed
        hmac.update(data: text.written)
        return hmac.finalize()
    }
}

extension Claims {
    fileprivate func write(into text: inout ASCIIWriter) {
        switch self {
        case .anonymous: text.string("a")
        case .unverifiable: text.string("x")
        case .user(let user):
            text.string("u.")
            text.uuid(user.id)
            text.byte(UInt8(ascii: "."))
            text.decimal(Int64(user.flags.rawValue))
            text.byte(UInt8(ascii: "."))
            text.decimal(user.tokenID)
        case .service(let name):
            text.string("s.")
            text.string(name)
        }
    }

    fileprivate init?(payload: Substring) {
        let words = payload.split(separator: ".", omittingEmptySubsequences: false)
        switch (words.first, words.count) {
        case ("a", 1): self = .anonymous
        case ("x", 1): self = .unverifiable
        case ("s", 2): self = .service(String(words[1]))
        case ("u", 4):
            guard let id = UUID(uuidString: String(words[1])), let flags = UInt8(words[2]), let token = Int64(words[3])
            else { return nil }
            self = .user(User(id: id, flags: UserFlags(rawValue: flags), tokenID: token))
        default: return nil
        }
    }
}
