import NIOCore
import ServiceKit
import ServiceLifecycle

/// The service whose events are read gave no answer that can be used.
public struct OwnerFault: UnavailableError, CustomStringConvertible {
    /// Always: it, or a release that answers well, may be back in a moment.
    public var isUnavailable: Bool { true }
    /// What happened, for the log.
    public let description: String
}

/// Asks the owner of events for what was missed.
struct EventOwner: Sendable {
    let source: String
    private let client: InternalClient

    init(source: String, client: InternalClient) {
        self.source = source
        self.client = client
    }

    /// A page of a snapshot; see ``SnapshotPage``.
    struct Page: Sendable {
        var position: Int64
        var items: [[String: JSONValue]]
        var next: String?
    }

    /// The answer of the ledger, of which only the body may be wrong.
    ///
    /// - Throws: ``OwnerFault`` when there is none, or a refusal.
    func ledger(after position: Int64, limit: Int) async throws -> ByteBuffer {
        try await get("/internal/v1/events?after=\(position)&limit=\(limit)", deadline: .seconds(5))
    }

    /// - Throws: ``OwnerFault``.
    func snapshot(_ path: String, after key: String?, limit: Int = 500) async throws -> Page {
        let after = key.map { "after=\(Self.encoded($0))&" } ?? ""
        let body = try await get("\(path)?\(after)limit=\(limit)", deadline: .seconds(10))
        guard let members = try? JSONParser.object(body), case .integer(let position)? = members["position"],
            position >= 0, case .array(let list)? = members["items"]
        else { throw OwnerFault(description: "\(source) answered no page of a snapshot") }
        let items = try list.map { item in
            guard case .object(let members) = item else {
                throw OwnerFault(description: "\(source) answered a snapshot with an item that is no object")
            }
            return members
        }
        switch members["next"] {
        case nil, .null: return Page(position: position, items: items, next: nil)
        case .string(let next): return Page(position: position, items: items, next: next)
        default: throw OwnerFault(description: "\(source) answered a snapshot with a next that is no text")
        }
    }

    private func get(_ path: String, deadline: Duration) async throws -> ByteBuffer {
        let answer: InternalClient.Answer
        do {
            // A process that is to end does not wait for it.
            answer = try await cancelWhenGracefulShutdown {
                try await client.get(path, deadline: deadline, limit: 16 * 1024 * 1024)
            }
        } catch {
            throw OwnerFault(description: "\(source) can't be asked: \(error)")
        }
        guard answer.status == 200 else { throw OwnerFault(description: "\(source) answered \(answer.status)") }
        return answer.body
    }

    /// Percent-encoded but for what RFC 3986 calls unreserved.
    private static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                encoded += byte < 16 ? "%0" : "%"
                encoded += String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}
