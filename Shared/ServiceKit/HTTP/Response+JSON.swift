import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// An answer that is one JSON document.
    ///
    /// - Parameters:
    ///   - status: 200 unless said otherwise.
    ///   - capacity: bytes to make room for at once.
    ///   - write: writes the document.
    public static func json(
        _ status: HTTPResponse.Status = .ok, capacity: Int = 512, _ write: (inout JSONWriter) throws -> Void
    ) rethrows -> Response {
        var json = JSONWriter(capacity: capacity)
        try write(&json)
        return .json(status, json.buffer)
    }

    /// An answer that is one JSON document, written before.
    public static func json(_ status: HTTPResponse.Status = .ok, _ body: ByteBuffer) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }

    /// An answer in plain text, for other services and operators.
    public static func text(_ status: HTTPResponse.Status = .ok, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// An answer without a body.
    public static func empty(_ status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status)
    }

    /// The answer that tells of a problem.
    static func problem(_ problem: Problem, requestID: String) -> Response {
        var headers = HTTPFields()
        for field in problem.fields {
            if let name = HTTPField.Name(field.name) { headers[name] = field.value }
        }
        return Response(
            status: .init(code: problem.status), headers: headers,
            body: .init(byteBuffer: problem.body(requestID: requestID)))
    }
}

extension ResponseBody {
    /// All of it. It can be written again afterwards.
    public func bytes() async throws -> ByteBuffer {
        let collector = Collector()
        try await write(collector)
        return collector.bytes
    }

    /// Takes the place of a connection; used by one task.
    private final class Collector: ResponseBodyWriter {
        var bytes = ByteBuffer()

        func write(_ buffer: ByteBuffer) {
            // Most have one part only: no copy.
            if bytes.readableBytes == 0 { bytes = buffer } else { bytes.writeImmutableBuffer(buffer) }
        }

        func finish(_ trailingHeaders: HTTPFields?) {}
    }
}
