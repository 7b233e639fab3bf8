import Crypto
import HTTPTypes
import Identity
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What is kept of a request that carries an `Idempotency-Key`: hashes that tell it from others and give nothing away.
struct KeyedRequest: Sendable, Hashable {
    /// 32 bytes for the caller and the key.
    let key: [UInt8]
    /// 32 bytes for method, path and body.
    let request: [UInt8]

    /// - Parameter caller: whose key it is; who asks, when nil.
    /// - Returns: nil for a request without a key.
    /// - Throws: `Problem` (400) for a key that is none.
    init?(_ request: ServiceRequest, by caller: Claims? = nil, hashing secret: SymmetricKey) throws(Problem) {
        guard let name = Self.field, let key = request.head.headerFields.value(of: name) else { return nil }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw Problem(.badRequest, "Idempotency-Key must have 1 to 255 characters, all of them printable ASCII.")
        }
        self.key = Self.mac([Array(Self.caller(caller ?? request.claims).utf8), Array(key.utf8)], secret)
        let path = Self.canonical(request.head.path ?? "/")
        self.request = Self.mac(
            [Array(request.head.method.rawValue.utf8), Array(path.utf8), Array(request.body.readableBytesView)], secret)
    }

    /// A UUID of version 8 (RFC 9562, section 5.8) that is made of the key's hash.
    var id: UUID {
        var bytes = Array(SHA256.hash(data: key).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    private static let field = HTTPField.Name("Idempotency-Key")

    /// A key is one caller's. Those who aren't signed in share theirs: an answer is told only to who knows the whole
    /// request, password and all.
    private static func caller(_ claims: Claims) -> String {
        switch claims {
        case .user(let user): "user \(user.id.uuidString)"
        case .service(let name): "service \(name)"
        case .anonymous, .unverifiable: "anonymous"
        }
    }

    /// Every path answers with and without a slash at its end, the same way.
    private static func canonical(_ target: String) -> String {
        guard let mark = target.firstIndex(of: "?") else {
            return target.count > 1 && target.hasSuffix("/") ? String(target.dropLast()) : target
        }
        return canonical(String(target[..<mark])) + target[mark...]
    }

    /// The length before each part: no two lists of parts are the same bytes.
    private static func mac(_ parts: [[UInt8]], _ secret: SymmetricKey) -> [UInt8] {
        var mac = HMAC<SHA256>(key: secret)
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { mac.update(data: $0) }
            mac.update(data: part)
        }
        return Array(mac.finalize())
    }
}
