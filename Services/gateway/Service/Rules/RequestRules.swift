import NIOHTTP1
import ServiceKit

/// What HTTP leaves to the parser's mercy, decided once and strictly: a request is either plain enough that no server
/// behind the gateway can read it in another way, or it is refused (RFC 9112, sections 3, 6 and 11.2).
enum RequestRules {
    /// The methods that are passed on.
    static let allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

    /// The bytes of a request line, without its line end: a method, one space, a target, one space, a version.
    static func check(requestLine line: UnsafeRawBufferPointer, limits: GatewayLimits) -> Problem? {
        var spaces = 0
        var targetLength = 0
        for byte in line {
            switch byte {
            case UInt8(ascii: " "): spaces += 1
            case 0...0x1F, 0x7F...0xFF:
                return Problem(.badRequest, "The request line has characters that don't belong there.")
            default: if spaces == 1 { targetLength += 1 }
            }
        }
        if targetLength > limits.targetBytes { return Problem(.uriTooLong) }
        guard spaces == 2, targetLength > 0, line.first != UInt8(ascii: " "), line.last != UInt8(ascii: " ") else {
            return Problem(.badRequest, "The request line must be a method, a target and a version, one space apart.")
        }
        return nil
    }

    /// A head as NIO decoded it.
    static func check(_ head: HTTPRequestHead, limits: GatewayLimits) -> Result<RequestShape, Problem> {
        switch head.method {
        case .GET, .HEAD, .POST, .PUT, .PATCH, .DELETE, .OPTIONS: break
        default: return .failure(Problem(.methodNotAllowed, allow: allow))
        }
        guard let target = RequestTarget(head.uri) else {
            return .failure(Problem(.badRequest, "The request target is not valid."))
        }
        var fields = Fields()
        for (name, value) in head.headers {
            if let problem = fields.add(name, value) { return .failure(problem) }
        }
        if fields.count > limits.headerFields { return .failure(Problem(.headersTooLarge)) }
        return fields.shape(of: head, target: target, limits: limits)
    }

    /// The fields behind a chunked body: none of them is passed on, and some of them are an attempt at something.
    static func check(trailers: HTTPHeaders) -> Problem? {
        for (name, _) in trailers {
            guard isName(name) else { return Problem(.badRequest, "A trailer field has a name that is not valid.") }
            switch FieldName(name) {
            case nil, .requestID, .traceparent, .tracestate: continue
            default: return Problem(.badRequest, "A trailer has a field that belongs in the header.")
            }
        }
        return nil
    }

    /// Whether a field name may be passed on.
    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy(\.isFieldNameCharacter)
    }

    /// `host` or `host:port`, with a registered name, an IPv4 or a bracketed IPv6 address (RFC 3986, section 3.2.2).
    static func isAuthority(_ text: some StringProtocol) -> Bool {
        var bytes = text.utf8[...]
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = bytes[bytes.index(after: bytes.startIndex)..<end]
            guard address.count >= 2, address.contains(UInt8(ascii: ":")),
                address.allSatisfy({ $0.isHexDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else { return false }
            bytes = bytes[bytes.index(after: end)...]
        } else {
            let name = bytes.prefix { $0.isHostCharacter }
            guard !name.isEmpty, name.count <= 253 else { return false }
            bytes = bytes[name.endIndex...]
        }
        guard let colon = bytes.first else { return true }
        let port = bytes.dropFirst()
        return colon == UInt8(ascii: ":") && !port.isEmpty && port.count <= 5
            && port.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            && (Int(String(decoding: port, as: UTF8.self)) ?? 65_536) <= 65_535
    }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    fileprivate var isHostCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension RequestRules {
    /// What the fields of one head say, gathered in one pass.
    fileprivate struct Fields {
        var count = 0
        var host: String?
        var contentLength: String?
        var transferEncoding: String?
        var authorization: String?
        var requestID: String?
        var traceparent: String?
        var connection: String?
        var connections: [String] = []
        var expectsContinue = false
        var upgrades = false

        /// Notes a field; gives a problem if it can't be taken.
        mutating func add(_ name: String, _ value: String) -> Problem? {
            count += 1
            guard RequestRules.isName(name) else {
                return Problem(.badRequest, "A field has a name that is not valid.")
            }
            guard let field = FieldName(name) else { return nil }
            switch field {
            case .host:
                guard host == nil else { return Problem(.badRequest, "There must be one Host field.") }
                host = value
            case .contentLength:
                guard contentLength == nil else {
                    return Problem(.badRequest, "There must not be two Content-Length fields.")
                }
                contentLength = value
            case .transferEncoding:
                guard transferEncoding == nil else {
                    return Problem(.badRequest, "There must not be two Transfer-Encoding fields.")
                }
                transferEncoding = value
            case .authorization:
                guard authorization == nil else {
                    return Problem(.badRequest, "There must not be two Authorization fields.")
                }
                authorization = value
            case .connection:
                if connection == nil { connection = value } else { connections.append(value) }
            case .expect: if value.isField("100-continue") { expectsContinue = true }
            case .upgrade: upgrades = true
            case .requestID: requestID = requestID == nil ? value : ""
            case .traceparent: traceparent = traceparent == nil ? value : ""
            case .tracestate, .dropped: break
            }
            return nil
        }

        func shape(
            of head: HTTPRequestHead, target: RequestTarget, limits: GatewayLimits
        ) -> Result<RequestShape, Problem> {
            if let problem = checkHost(head, target) { return .failure(problem) }
            let body: RequestShape.Body
            switch framing(head, limits) {
            case .success(let found): body = found
            case .failure(let problem): return .failure(problem)
            }
            var keepAlive = head.version == .http1_1 && !upgrades
            var nominated: [String] = []
            if let connection {
                // `close` and `keep-alive` are nearly all there ever is.
                if connection.isField("close") {
                    keepAlive = false
                } else if !connection.isField("keep-alive") || !connections.isEmpty {
                    for value in [connection] + connections {
                        for option in value.split(separator: ",") {
                            let name = option.trimmingSpaces.lowercased()
                            if name == "close" { keepAlive = false }
                            nominated.append(name)
                        }
                    }
                }
            }
            return .success(
                RequestShape(
                    method: head.method, isHTTP11: head.version == .http1_1, target: target,
                    route: GatewayRoute(path: target.path), host: host ?? "", body: body, keepAlive: keepAlive,
                    expectsContinue: expectsContinue && head.version == .http1_1, authorization: authorization,
                    requestID: requestID, traceparent: traceparent, nominated: nominated))
        }

        private func checkHost(_ head: HTTPRequestHead, _ target: RequestTarget) -> Problem? {
            guard let host else {
                // HTTP/1.0 knows no Host (RFC 9112, section 3.2).
                return head.version == .http1_0 && target.authority == nil
                    ? nil : Problem(.badRequest, "There must be one Host field.")
            }
            guard RequestRules.isAuthority(host) else { return Problem(.badRequest, "The Host field is not valid.") }
            if let authority = target.authority, authority.lowercased() != host.lowercased() {
                return Problem(.badRequest, "The target names another host than the Host field.")
            }
            return nil
        }

        private func framing(_ head: HTTPRequestHead, _ limits: GatewayLimits) -> Result<RequestShape.Body, Problem> {
            if let transferEncoding {
                guard head.version == .http1_1 else {
                    return .failure(Problem(.badRequest, "HTTP/1.0 has no Transfer-Encoding."))
                }
                guard contentLength == nil else {
                    return .failure(Problem(.badRequest, "Content-Length and Transfer-Encoding exclude each other."))
                }
                guard transferEncoding.isField("chunked") else {
                    return .failure(Problem(.badRequest, "The only Transfer-Encoding taken is chunked."))
                }
                return .success(.chunked)
            }
            guard let contentLength else { return .success(.none) }
            guard let length = RequestRules.length(contentLength) else {
                return .failure(Problem(.badRequest, "The Content-Length is not valid."))
            }
            guard length <= limits.bodyBytes else { return .failure(Problem(.payloadTooLarge)) }
            return .success(length == 0 ? .empty : .length(length))
        }
    }

    /// A length in decimal digits, without sign or leading zeros; one beyond all limits is the largest number.
    static func length(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.count == 1 || text.utf8.first != UInt8(ascii: "0"),
            text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
        else { return nil }
        return Int(text) ?? .max
    }
}

extension Substring {
    var trimmingSpaces: Substring {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
