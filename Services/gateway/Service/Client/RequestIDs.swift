import NIOCore
import NIOHTTP1

/// Ids by which a request is found again in the logs, and the trace it belongs to.
enum RequestIDs {
    /// The client's own id if it is a sane one, else a new one.
    static func id(of shape: RequestShape, _ random: inout FastRandom) -> String {
        if let id = shape.requestID, isSane(id) { return id }
        return Self.random(&random)
    }

    /// 32 lowercase hexadecimal digits.
    static func random(_ random: inout FastRandom) -> String {
        let high = random.next()
        let low = random.next()
        return String(unsafeUninitializedCapacity: 32) { bytes in
            writeHex(high, bytes, 0)
            writeHex(low, bytes, 16)
            return 32
        }
    }

    /// Letters, digits and `-_.`, at most 64: nothing that could do harm in a log or a field.
    static func isSane(_ id: String) -> Bool {
        let bytes = id.utf8
        return !bytes.isEmpty && bytes.count <= 64
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    /// Writes `traceparent` (W3C Trace Context): in the client's trace with a new span, or in a new trace. Its
    /// `tracestate` belongs to its `traceparent` and goes with it.
    static func writeTraceContext(
        of shape: RequestShape, _ fields: HTTPHeaders, _ random: inout FastRandom, into bytes: inout ByteBuffer
    ) {
        let given = shape.traceparent.flatMap { isTraceparent($0) ? $0 : nil }
        bytes.writeStaticString("\r\ntraceparent: 00-")
        if let given {
            bytes.writeBytes(given.utf8.dropFirst(3).prefix(32))
        } else {
            writeHex(random.next(), into: &bytes)
            writeHex(random.next(), into: &bytes)
        }
        bytes.writeStaticString("-")
        writeHex(random.next() | 1, into: &bytes)
        if let given {
            bytes.writeBytes(given.utf8.suffix(3))
            for state in fields[canonicalForm: "tracestate"] where state.utf8.count <= 512 {
                bytes.writeStaticString("\r\ntracestate: ")
                bytes.writeString(String(state))
            }
        } else {
            bytes.writeStaticString("-00")
        }
    }

    /// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros.
    static func isTraceparent(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 55, bytes[0] == 0x30, bytes[1] == 0x30, bytes[2] == 0x2D, bytes[35] == 0x2D,
            bytes[52] == 0x2D
        else { return false }
        let isHex = { (byte: UInt8) in (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) }
        let trace = bytes[3..<35]
        let span = bytes[36..<52]
        return trace.allSatisfy(isHex) && span.allSatisfy(isHex) && bytes[53...].allSatisfy(isHex)
            && trace.contains { $0 != 0x30 } && span.contains { $0 != 0x30 }
    }

    private static func writeHex(_ number: UInt64, into bytes: inout ByteBuffer) {
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: 16) { target in
            writeHex(number, target.bindMemory(to: UInt8.self), 0)
            return 16
        }
    }

    private static func writeHex(_ number: UInt64, _ target: UnsafeMutableBufferPointer<UInt8>, _ offset: Int) {
        var rest = number
        for index in stride(from: 15, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            target[offset + index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            rest >>= 4
        }
    }
}
