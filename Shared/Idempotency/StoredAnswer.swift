import HTTPTypes
import Hummingbird
import NIOCore
import ServiceKit

/// An answer as it is kept: status, fields and body, in bytes.
struct StoredAnswer: Sendable, Hashable {
    var status: Int
    var fields: HTTPFields
    var body: ByteBuffer

    init(status: Int, fields: HTTPFields, body: ByteBuffer) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// Reads a response whole. It can be sent afterwards all the same.
    init(_ response: Response) async throws {
        self.init(
            status: response.status.code, fields: response.headers, body: try await response.body.bytes())
    }

    var response: Response {
        Response(status: .init(code: status), headers: fields, body: .init(byteBuffer: body))
    }

    /// One byte for the form, two for the status, two for the count of fields, each name and value with its length
    /// before it, and the body.
    var bytes: [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.form)
        buffer.writeInteger(UInt16(clamping: status))
        buffer.writeInteger(UInt16(clamping: fields.count))
        for field in fields {
            for text in [field.name.rawName, field.value] {
                buffer.writeInteger(UInt32(clamping: text.utf8.count))
                buffer.writeString(text)
            }
        }
        buffer.writeImmutableBuffer(body)
        return Array(buffer.readableBytesView)
    }

    /// - Returns: nil for bytes that ``bytes`` did not write.
    init?(bytes: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        guard buffer.readInteger(as: UInt8.self) == Self.form, let status = buffer.readInteger(as: UInt16.self),
            let count = buffer.readInteger(as: UInt16.self)
        else { return nil }
        var fields = HTTPFields()
        for _ in 0..<count {
            guard let name = Self.text(&buffer).flatMap({ HTTPField.Name($0) }), let value = Self.text(&buffer) else {
                return nil
            }
            fields.append(HTTPField(name: name, value: value))
        }
        self.init(status: Int(status), fields: fields, body: buffer.slice())
    }

    private static let form: UInt8 = 1

    private static func text(_ buffer: inout ByteBuffer) -> String? {
        buffer.readInteger(as: UInt32.self).flatMap { buffer.readString(length: Int($0)) }
    }
}
