import Crypto
import HTTPTypes
import Hummingbird
import NIOCore

/// An answer of the directory as it goes out, whoever asks: encoded once, with what tells it from another.
struct DirectoryAnswer: Sendable {
    let body: ByteBuffer
    /// The same for the same bytes, at every replica.
    let entityTag: String

    init(_ body: ByteBuffer) {
        self.body = body
        var tag = "\""
        for byte in SHA256.hash(data: body.readableBytesView).prefix(16) {
            tag += byte < 16 ? "0" : ""
            tag += String(byte, radix: 16)
        }
        self.entityTag = tag + "\""
    }

    /// Bytes of memory, about.
    var cost: Int { body.readableBytes + 512 }

    /// The answer, or 304 for whoever has it already.
    func response(to request: HTTPRequest) -> Response {
        // Anybody may keep it, and must ask whether it still holds (RFC 9111, section 5.2.2.4).
        let fields: HTTPFields = [.cacheControl: "public, no-cache", .eTag: entityTag]
        if let known = request.headerFields[.ifNoneMatch], isAmong(known) {
            return Response(status: .notModified, headers: fields)
        }
        var response = Response.json(.ok, body)
        response.headers.append(contentsOf: fields)
        return response
    }

    /// The weak comparison (RFC 9110, section 13.1.2).
    private func isAmong(_ field: String) -> Bool {
        field.split(separator: ",").contains { part in
            let tag = part.drop { $0 == " " || $0 == "\t" }
            let end = tag.lastIndex { $0 != " " && $0 != "\t" }
            let text = end.map { tag[...$0] } ?? ""
            return text == "*" || (text.hasPrefix("W/") ? text.dropFirst(2) : text) == entityTag
        }
    }
}
