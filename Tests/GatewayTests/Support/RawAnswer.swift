import NIOCore

/// An HTTP message as it came, read without leniency.
struct RawAnswer: Sendable {
    let status: Int
    /// Names in lower case, in their order.
    let fields: [(name: String, value: String)]
    let body: String

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// The `code` of a problem.
    var code: String? {
        body.range(of: #""code":""#).map { String(body[$0.upperBound...].prefix { $0 != "\"" }) }
    }
}

/// A head taken apart.
struct RawHead: Sendable {
    let firstLine: String
    let fields: [(name: String, value: String)]

    init(_ text: String) {
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
        firstLine = lines.first.map(String.init) ?? ""
        fields = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst()
            return (line[..<colon].lowercased(), String(value.drop { $0 == " " }))
        }
    }

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    var method: String { String(firstLine.prefix { $0 != " " }) }
    var target: String { firstLine.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
    var status: Int { firstLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0 }
}

extension RawConnection {
    /// The next answer, without the interim ones before it; nil when the connection ended before its head.
    ///
    /// - Parameter toHead: whether the request was HEAD.
    func readAnswer(toHead: Bool = false, within: TimeAmount = .seconds(20)) async throws -> RawAnswer? {
        while let text = try await readHead(within: within) {
            let head = RawHead(text)
            if head.status < 200, head.status != 101 { continue }
            let hasBody = !toHead && head.status != 204 && head.status != 304
            let body = hasBody ? try await readBody(head, within: within) : ""
            return RawAnswer(status: head.status, fields: head.fields, body: body)
        }
        return nil
    }

    /// The body that a head announces.
    func readBody(_ head: RawHead, within: TimeAmount = .seconds(20)) async throws -> String {
        if head["transfer-encoding"] == "chunked" { return try await readChunks(within: within) }
        if let length = head["content-length"].flatMap({ Int($0) }) {
            guard let body = try await read(length, within: within) else { throw Truncated() }
            return body
        }
        return try await readToEnd(within: within)
    }

    func readChunks(within: TimeAmount = .seconds(20)) async throws -> String {
        var body = ""
        while let chunk = try await readChunk(within: within) {
            if chunk.isEmpty { return body }
            body += chunk
        }
        throw Truncated()
    }

    /// One chunk; empty for the last, nil when the connection ended before.
    func readChunk(within: TimeAmount = .seconds(20)) async throws -> String? {
        guard let line = try await read(through: "\r\n", within: within) else { return nil }
        guard let size = Int(line.dropLast().prefix { $0.isHexDigit }, radix: 16) else { throw Truncated() }
        guard let chunk = try await read(size + 2, within: within) else { return nil }
        return String(chunk.utf8.prefix(size)) ?? ""
    }

    /// Sends a request and reads its answer.
    func ask(_ request: String, within: TimeAmount = .seconds(20)) async throws -> RawAnswer? {
        try await send(request)
        return try await readAnswer(toHead: request.hasPrefix("HEAD "), within: within)
    }
}

/// A body ended before it was whole.
struct Truncated: Error {}

/// A request without a body.
func request(_ method: String, _ path: String, _ fields: [String: String] = [:]) -> String {
    let lines = fields.map { "\($0.key): \($0.value)\r\n" }.joined()
    return "\(method) \(path) HTTP/1.1\r\nhost: test\r\n\(lines)\r\n"
}

/// A request with a body.
func request(_ method: String, _ path: String, _ fields: [String: String] = [:], body: String) -> String {
    request(method, path, fields.merging(["content-length": "\(body.utf8.count)"]) { $1 }) + body
}
