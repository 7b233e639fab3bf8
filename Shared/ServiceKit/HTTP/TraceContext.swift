/// Where a request stands in a distributed trace (W3C Trace Context, section 3.2).
public struct TraceContext: Sendable, Hashable {
    /// The name of the field it travels in.
    public static let headerName = "traceparent"

    private let high: UInt64
    private let low: UInt64
    /// This process's own step of the trace.
    private var span: UInt64
    private let flags: UInt8

    /// A trace of its own, for work that no request caused.
    public init() {
        var generator = SystemRandomNumberGenerator()
        // An id of zeros is not valid.
        self.high = generator.next() | 1
        self.low = generator.next()
        self.span = generator.next() | 1
        self.flags = 1
    }

    /// Goes on with the trace of a caller, or starts one when the field is missing or not well-formed.
    public init(continuing field: String?) {
        guard let field, let parent = TraceContext(parsing: field) else {
            self.init()
            return
        }
        var generator = SystemRandomNumberGenerator()
        self = parent
        span = generator.next() | 1
    }

    private init?(parsing field: String) {
        var field = field
        let parts = field.withUTF8 { bytes -> (UInt64, UInt64, UInt64, UInt8)? in
            // 00-<32>-<16>-<2>; a later version may go on after another dash.
            guard bytes.count >= 55, bytes[2] == Self.dash, bytes[35] == Self.dash, bytes[52] == Self.dash,
                let version = Self.number(bytes, 0, 2), version != 0xFF,
                bytes.count == 55 || (version > 0 && bytes[55] == Self.dash),
                let high = Self.number(bytes, 3, 16), let low = Self.number(bytes, 19, 16), high | low != 0,
                let span = Self.number(bytes, 36, 16), span != 0, let flags = Self.number(bytes, 53, 2)
            else { return nil }
            return (high, low, span, UInt8(truncatingIfNeeded: flags))
        }
        guard let parts else { return nil }
        (self.high, self.low, self.span, self.flags) = parts
    }

    private static let dash = UInt8(ascii: "-")

    private static func number(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in start..<(start + count) {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "0"))
            // Upper-case digits are not valid here.
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// 32 hexadecimal digits: what every log line of one request has in common, in all processes.
    public var traceID: String {
        HexText.string { text in
            HexText.append(high, to: &text)
            HexText.append(low, to: &text)
        }
    }

    /// The field for a request that this process makes on behalf of this one.
    public var traceparent: String {
        HexText.string(capacity: 55) { text in
            text.append(contentsOf: "00-".utf8)
            HexText.append(high, to: &text)
            HexText.append(low, to: &text)
            text.append(Self.dash)
            HexText.append(span, to: &text)
            text.append(contentsOf: (flags & 1 == 1 ? "-01" : "-00").utf8)
        }
    }
}

/// Numbers in base 16, lower case, with their leading zeros.
enum HexText {
    static func string(capacity: Int = 32, _ fill: (inout [UInt8]) -> Void) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(capacity)
        fill(&text)
        return String(decoding: text, as: UTF8.self)
    }

    static func append(_ value: UInt64, to text: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            text.append(JSONWriter.hexDigit(UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15))
        }
    }
}
