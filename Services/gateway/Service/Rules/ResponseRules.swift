import NIOHTTP1

/// How an upstream's answer is framed, and which of its fields stay behind.
enum ResponseRules {
    /// RFC 9112, section 6.3.
    ///
    /// - Throws: ``UpstreamFault/badAnswer`` for framing that two readers could read in two ways.
    static func body(of head: HTTPResponseHead, isHead: Bool) throws(UpstreamFault) -> ResponseBody {
        var length: Int?
        var isChunked = false
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 14 where name.isField("content-length"):
                guard length == nil, let number = RequestRules.length(value) else { throw .badAnswer }
                length = number
            case 17 where name.isField("transfer-encoding"):
                guard !isChunked, value.isField("chunked"), head.version == .http1_1 else { throw .badAnswer }
                isChunked = true
            default: break
            }
        }
        if isHead || head.status.code == 204 || head.status.code == 304 { return .none }
        if isChunked {
            guard length == nil else { throw .badAnswer }
            return .chunked
        }
        if let length { return .length(length) }
        return .untilClose
    }

    /// The fields, in lower case, that an upstream's `Connection` declares to be for that connection only.
    static func nominated(_ fields: HTTPHeaders) -> Set<String>? {
        var names: Set<String>?
        for (name, value) in fields where name.isField("connection") {
            if value.isField("close") || value.isField("keep-alive") { continue }
            names = (names ?? []).union(value.split(separator: ",").map { $0.trimmingSpaces.lowercased() })
        }
        return names
    }

    /// Whether a field stays behind: it is of the upstream's connection only, or the gateway writes its own.
    static func isDropped(_ name: String) -> Bool {
        switch FieldName(name) {
        case .connection, .contentLength, .transferEncoding, .upgrade, .requestID, .dropped: true
        case .host, .authorization, .expect, .traceparent, .tracestate, nil: false
        }
    }
}
