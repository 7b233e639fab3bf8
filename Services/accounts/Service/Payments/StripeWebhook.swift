import Crypto
import NIOCore
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What Stripe tells later of a SetupIntent, proved by its signature.
///
/// Source: Stripe documentation, "Webhooks", "Verify webhook signatures manually"; "The Event object".
struct StripeWebhook: Sendable {
    /// Seconds that a signature's time may be off, so that an old message can't be sent again by someone else.
    static let tolerance: Int64 = 300

    /// A message that matters here.
    struct Event: Sendable, Equatable {
        /// Stripe's own; the same message may come more than once.
        var id: String
        var intent: String
        var outcome: Outcome
        /// Our own name for what Stripe tells of, if it was given one: the message may come before the answer did.
        var attempt: UUID? = nil
    }

    enum Outcome: Sendable, Equatable {
        case succeeded
        case failed
    }

    private let key: SymmetricKey

    /// - Parameter secret: the endpoint's signing secret, `whsec_…`.
    init(secret: String) {
        self.key = SymmetricKey(data: Data(secret.utf8))
    }

    /// Whether a message is Stripe's own: one of the `v1` signatures is the HMAC-SHA-256 of `<t>.<body>`.
    ///
    /// - Parameters:
    ///   - signature: the field `Stripe-Signature`: `t=<unix time>,v1=<hex>,…`.
    ///   - now: Unix time in seconds.
    func isGenuine(_ body: ByteBuffer, signature: String, now: Int64) -> Bool {
        var time: Substring?
        var codes: [[UInt8]] = []
        for part in signature.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            switch pair[0] {
            case "t": time = pair[1]
            case "v1": if let code = Self.bytes(hex: pair[1]) { codes.append(code) }
            default: break
            }
        }
        guard let time, let seconds = Int64(time), seconds >= 0, now >= 0, abs(now - seconds) <= Self.tolerance else {
            return false
        }
        var message = Data(time.utf8)
        message.append(UInt8(ascii: "."))
        message.append(contentsOf: body.readableBytesView)
        // Each comparison takes the same time wherever the first difference is.
        return codes.contains {
            HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: message, using: key)
        }
    }

    /// What a genuine message says, or nil for one that doesn't concern us.
    ///
    /// - Throws: `JSONParseError` if it isn't a JSON object.
    func event(_ body: ByteBuffer) throws(JSONParseError) -> Event? {
        let members = try JSONParser.object(body)
        guard case .string(let id)? = members["id"], case .string(let type)? = members["type"],
            case .object(let data)? = members["data"], case .object(let object)? = data["object"],
            case .string(let intent)? = object["id"]
        else { return nil }
        var attempt: UUID?
        if case .object(let metadata)? = object["metadata"], case .string(let text)? = metadata["attempt"] {
            attempt = UUID(uuidString: text)
        }
        switch type {
        case "setup_intent.succeeded":
            return Event(id: id, intent: intent, outcome: .succeeded, attempt: attempt)
        case "setup_intent.setup_failed", "setup_intent.canceled":
            return Event(id: id, intent: intent, outcome: .failed, attempt: attempt)
        default: return nil
        }
    }

    private static func bytes(hex: Substring) -> [UInt8]? {
        let digits = hex.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 64, !digits.contains(nil) else { return nil }
        let values = digits.compactMap { $0 }
        return stride(from: 0, to: 64, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}
