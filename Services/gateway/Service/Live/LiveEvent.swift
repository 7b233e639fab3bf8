import NIOCore
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One event of a service as the gateway passes it on. Read from an envelope, of which only what is needed here is
/// looked at: other members may come and go.
final class LiveEvent: Sendable {
    let source: ServiceName
    /// Its place among all events of its source.
    let position: Int64
    let id: UUID
    /// Who may be told.
    let recipients: [UUID]
    /// The tokens that it says to be revoked.
    let revoked: [Int64]
    /// `event:` and `data:` lines as they are sent, with the empty line at the end. An `id:` line goes before them.
    let text: ByteBuffer

    /// Nil for what is no event.
    init?(_ envelope: JSONValue, source: ServiceName) {
        guard case .object(let members) = envelope, case .integer(let position)? = members["position"], position > 0,
            case .string(let idText)? = members["id"], let id = UUID(uuidString: idText),
            case .string(let type)? = members["type"], Self.isType(type),
            case .string(let subject)? = members["subject"], case .string(let time)? = members["time"],
            case .object(let data)? = members["data"], case .array(let recipients)? = members["recipients"]
        else { return nil }
        var users: [UUID] = []
        for recipient in recipients {
            guard case .string(let text) = recipient, let user = UUID(uuidString: text) else { return nil }
            users.append(user)
        }
        self.source = source
        self.position = position
        self.id = id
        self.recipients = users
        revoked = type == "token.revoked" ? Self.tokens(data) : []
        text = users.isEmpty ? ByteBuffer() : Self.text(id: id, type: type, subject: subject, time: time, data: data)
    }

    /// `call.time_agreed`: nothing that could end a line.
    private static func isType(_ type: String) -> Bool {
        !type.isEmpty && type.utf8.count <= 100
            && type.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func tokens(_ data: [String: JSONValue]) -> [Int64] {
        guard case .array(let tokens)? = data["tokens"] else { return [] }
        return tokens.compactMap { if case .integer(let token) = $0 { token } else { nil } }
    }

    private static func text(
        id: UUID, type: String, subject: String, time: String, data: [String: JSONValue]
    ) -> ByteBuffer {
        var content = ByteBuffer()
        JSONValue.object(data).write(into: &content)
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("id", id)
            json.field("type", type)
            json.field("subject", subject)
            json.field("time", time)
            json.field("data", rawJSON: content.readableBytesView)
        }
        var text = ByteBufferAllocator().buffer(capacity: json.buffer.readableBytes + type.utf8.count + 24)
        text.writeStaticString("event: ")
        text.writeString(type)
        // JSON has no line ends of its own.
        text.writeStaticString("\ndata: ")
        text.writeImmutableBuffer(json.buffer)
        text.writeStaticString("\n\n")
        return text
    }
}
