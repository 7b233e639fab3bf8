/// Text as bytes of seven bits in lines of at most 76 (RFC 2045, section 6.7).
enum QuotedPrintable {
    /// - Parameter lines: without line breaks.
    /// - Returns: lines without line breaks, at least as many.
    static func encode(_ lines: [String]) -> [String] {
        lines.flatMap(encode)
    }

    private static func encode(_ line: String) -> [String] {
        let bytes = Array(line.utf8)
        var result: [String] = []
        var current = ""
        for (index, byte) in bytes.enumerated() {
            let isLast = index == bytes.count - 1
            let token = token(byte, isLast: isLast)
            // A line that goes on ends with "=", which counts.
            if current.utf8.count + token.utf8.count > (isLast ? 76 : 75) {
                result.append(current + "=")
                current = ""
            }
            current += token
        }
        return result + [current]
    }

    private static func token(_ byte: UInt8, isLast: Bool) -> String {
        switch byte {
        // White space at the end of a line may be lost on the way.
        case UInt8(ascii: " "), UInt8(ascii: "\t"):
            if isLast { break }
            return String(Unicode.Scalar(byte))
        case UInt8(ascii: "="): break
        case 0x21...0x7E: return String(Unicode.Scalar(byte))
        default: break
        }
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.utf8.count == 1 ? "=0\(digits)" : "=\(digits)"
    }
}
