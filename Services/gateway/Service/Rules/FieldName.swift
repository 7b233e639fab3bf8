/// The header fields that mean something to the gateway itself.
enum FieldName: Sendable {
    case host, connection, contentLength, transferEncoding, authorization, expect
    case requestID, traceparent, tracestate
    case upgrade
    /// Of one connection only (RFC 9110, section 7.6.1), or a statement about the path of the message that only the
    /// gateway may make. Never passed on.
    case dropped

    /// Nil for a field that is none of the gateway's business. Compares without regard to case.
    init?(_ name: String) {
        // Decided by length first, so that most names cost one look.
        switch name.utf8.count {
        case 2 where name.isField("te"): self = .dropped
        case 3 where name.isField("via"): self = .dropped
        case 4 where name.isField("host"): self = .host
        case 6 where name.isField("expect"): self = .expect
        case 7 where name.isField("trailer"): self = .dropped
        case 7 where name.isField("upgrade"): self = .upgrade
        case 8 where name.isField("trailers"): self = .dropped
        case 9 where name.isField("forwarded"), 9 where name.isField("x-real-ip"): self = .dropped
        case 10 where name.isField("connection"): self = .connection
        case 10 where name.isField("keep-alive"): self = .dropped
        case 10 where name.isField("tracestate"): self = .tracestate
        case 11 where name.isField("traceparent"): self = .traceparent
        case 12 where name.isField("x-request-id"): self = .requestID
        case 13 where name.isField("authorization"): self = .authorization
        case 14 where name.isField("content-length"): self = .contentLength
        case 14 where name.isField("http2-settings"): self = .dropped
        case 16 where name.isField("proxy-connection"): self = .dropped
        case 17 where name.isField("transfer-encoding"): self = .transferEncoding
        default:
            guard
                name.hasFieldPrefix("x-techheroes-") || name.hasFieldPrefix("x-forwarded-")
                    || name.hasFieldPrefix("proxy-")
            else { return nil }
            self = .dropped
        }
    }
}

extension String {
    /// Whether this is the field name given in lower case.
    @inline(__always)
    func isField(_ lowercased: StaticString) -> Bool {
        utf8.count == lowercased.utf8CodeUnitCount && hasFieldPrefix(lowercased)
    }

    /// Whether this starts with what is given in lower case.
    @inline(__always)
    func hasFieldPrefix(_ lowercased: StaticString) -> Bool {
        lowercased.withUTF8Buffer { prefix in
            var bytes = utf8.makeIterator()
            for expected in prefix {
                guard let byte = bytes.next(), byte.lowercasedASCII == expected else { return false }
            }
            return true
        }
    }
}

extension UInt8 {
    @inline(__always)
    var lowercasedASCII: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }

    /// RFC 9110, section 5.6.2, without `_`: behind some servers it reads as `-`.
    var isFieldNameCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "!"), UInt8(ascii: "#"),
            UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"),
            UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
