import NIOCore
import NIOHTTP1

/// A request's place in a distributed trace (W3C Trace Context): the client's trace, or a new one.
struct RequestTrace: Sendable {
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private var isGiven = false
    private var flags: UInt64 = 0

    init() {}

    /// - Parameter field: what the client sent as `traceparent`; not believed unless it is well-formed.
    init(continuing field: String?, _ random: inout FastRandom) {
        if let field, let given = Self.parse(field) {
            (high, low, flags) = given
            isGiven = true
        } else {
            high = random.next() | 1
            low = random.next()
        }
    }

    /// 32 lowercase hexadecimal digits.
    func writeTraceID(into bytes: inout ByteBuffer) {
        bytes.writeHex16(high)
        bytes.writeHex16(low)
    }

    /// The fields for the next in the chain, with a span of the gateway's own. A `tracestate` belongs to its
    /// `traceparent` and goes with it.
    func writeFields(_ fields: HTTPHeaders, _ random: inout FastRandom, into bytes: inout ByteBuffer) {
        bytes.writeStaticString("\r\ntraceparent: 00-")
        writeTraceID(into: &bytes)
        bytes.writeStaticString("-")
        bytes.writeHex16(random.next() | 1)
        guard isGiven else { return _ = bytes.writeStaticString("-00") }
        bytes.writeStaticString(flags & 1 == 1 ? "-01" : "-00")
        for (name, value) in fields where name.isField("tracestate") && value.utf8.count <= 512 {
            bytes.writeStaticString("\r\ntracestate: ")
            bytes.writeString(value)
        }
    }

    /// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros.
    private static func parse(_ text: String) -> (high: UInt64, low: UInt64, flags: UInt64)? {
        var text = text
        return text.withUTF8 { bytes in
            let dash = UInt8(ascii: "-")
            guard bytes.count == 55, bytes[0] == 0x30, bytes[1] == 0x30, bytes[2] == dash, bytes[35] == dash,
                bytes[52] == dash, let high = number(bytes[3..<19]), let low = number(bytes[19..<35]),
                let span = number(bytes[36..<52]), let flags = number(bytes[53..<55]), high | low != 0, span != 0
            else { return nil }
            return (high, low, flags)
        }
    }

    private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}

extension ByteBuffer {
    /// 16 lowercase hexadecimal digits.
    mutating func writeHex16(_ number: UInt64) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: 16) { target in
            var rest = number
            for index in stride(from: 15, through: 0, by: -1) {
                let digit = UInt8(truncatingIfNeeded: rest & 15)
                target[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                rest >>= 4
            }
            return 16
        }
    }
}
