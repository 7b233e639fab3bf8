import Identity
import NIOCore
import NIOHTTP1

/// The heads that the gateway writes anew, one towards the upstream and one towards the client.
extension ClientConnection {
    func writeRequestHead(
        _ shape: RequestShape, _ head: HTTPRequestHead, to endpoint: UpstreamEndpoint, into bytes: inout ByteBuffer
    ) {
        let method = shape.method.rawValue
        bytes.writeString(method)
        bytes.writeStaticString(" ")
        bytes.writeString(shape.target.text)
        bytes.writeStaticString(" HTTP/1.1\r\nhost: ")
        bytes.writeString(endpoint.authority)
        for (name, value) in head.headers {
            if FieldName(name) != nil { continue }
            if !shape.nominated.isEmpty, shape.nominated.contains(name.lowercased()) { continue }
            bytes.writeStaticString("\r\n")
            bytes.writeString(name)
            bytes.writeStaticString(": ")
            bytes.writeString(value)
        }
        sendsChunks = false
        switch shape.body {
        case .none:
            // A method that has content by its nature says so when there is none (RFC 9110, section 8.6).
            if shape.method == .POST || shape.method == .PUT || shape.method == .PATCH {
                bytes.writeStaticString("\r\ncontent-length: 0")
            }
        case .empty: bytes.writeStaticString("\r\ncontent-length: 0")
        case .length(let length):
            bytes.writeStaticString("\r\ncontent-length: ")
            bytes.writeDecimal(length)
        case .chunked:
            sendsChunks = true
            bytes.writeStaticString("\r\ntransfer-encoding: chunked")
        }
        bytes.writeStaticString("\r\nx-forwarded-for: ")
        bytes.writeString(remoteAddress)
        bytes.writeStaticString("\r\nx-forwarded-proto: ")
        bytes.writeString(lane.publicScheme)
        if !shape.host.isEmpty {
            bytes.writeStaticString("\r\nx-forwarded-host: ")
            bytes.writeString(shape.host)
        }
        bytes.writeStaticString("\r\nx-request-id: ")
        bytes.writeString(requestID)
        trace.writeFields(head.headers, &lane.random, into: &bytes)
        bytes.writeStaticString("\r\nx-techheroes-identity: ")
        lane.seal.withSignature(claims, method: method, path: shape.target.text, now: lane.unixTime) {
            _ = bytes.writeBytes($0)
        }
        bytes.writeStaticString("\r\n\r\n")
    }

    func writeAnswerHead(_ answer: HTTPResponseHead, shape: RequestShape, length: Int?) {
        out.writeStaticString("HTTP/1.1 ")
        out.writeDecimal(Int(answer.status.code))
        out.writeStaticString(" ")
        out.writeString(answer.status.reasonPhrase)
        let nominated = ResponseRules.nominated(answer.headers)
        for (name, value) in answer.headers {
            if ResponseRules.isDropped(name) { continue }
            if let nominated, nominated.contains(name.lowercased()) { continue }
            out.writeStaticString("\r\n")
            out.writeString(name)
            out.writeStaticString(": ")
            out.writeString(value)
        }
        if let length {
            out.writeStaticString("\r\ncontent-length: ")
            out.writeDecimal(length)
        } else if framing == .chunked {
            out.writeStaticString("\r\ntransfer-encoding: chunked")
        } else if shape.method == .HEAD, let would = answer.headers.first(name: "content-length") {
            // What GET would have said.
            out.writeStaticString("\r\ncontent-length: ")
            out.writeString(would)
        }
        writeOwnFields()
    }

    /// What every answer has, and the end of the head.
    func writeOwnFields() {
        out.writeStaticString("\r\nx-request-id: ")
        out.writeString(requestID)
        out.writeStaticString(closesAfter ? "\r\nconnection: close\r\n\r\n" : "\r\n\r\n")
    }
}

extension ByteBuffer {
    mutating func writeDecimal(_ number: Int) {
        if number < 10 {
            writeInteger(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: max(number, 0)))
        } else {
            writeString(String(number))
        }
    }

    mutating func writeHex(_ number: Int) {
        writeString(String(number, radix: 16))
    }
}
