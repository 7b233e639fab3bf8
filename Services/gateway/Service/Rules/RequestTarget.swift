/// A request target, checked and normalised (RFC 3986, section 6.2.2; RFC 9112, section 3.2).
///
/// What is routed on is what is passed on: no service ever sees another path than the gateway looked at.
struct RequestTarget: Equatable, Sendable {
    /// The normalised path and, with its `?`, the query as the client wrote it.
    let text: String
    /// How many bytes of ``text`` are the path.
    let pathLength: Int
    /// The authority of an absolute-form target.
    let authority: Substring?

    var path: Substring { text.prefix(upTo: text.utf8.index(text.startIndex, offsetBy: pathLength)) }

    /// Nil for a target that a careful server refuses with 400.
    init?(_ target: String) {
        var rest = target[...]
        var authority: Substring?
        if rest.utf8.first != UInt8(ascii: "/") {
            guard let (found, path) = Self.absoluteForm(rest) else { return nil }
            authority = found
            rest = path
        }
        guard let scan = Self.scan(rest.utf8) else { return nil }
        self.authority = authority
        if scan.isNormal, authority == nil {
            self.text = target
            self.pathLength = scan.pathLength
            return
        }
        let path = Self.normalise(rest.utf8.prefix(scan.pathLength))
        var bytes = path
        bytes.append(contentsOf: rest.utf8.dropFirst(scan.pathLength))
        self.text = String(decoding: bytes, as: UTF8.self)
        self.pathLength = path.count
    }

    /// `http://authority/path`; a path that is missing becomes `/`.
    private static func absoluteForm(_ target: Substring) -> (authority: Substring, path: Substring)? {
        let lower = target.prefix(8).lowercased()
        let schemeLength = lower.hasPrefix("http://") ? 7 : lower == "https://" ? 8 : 0
        guard schemeLength > 0 else { return nil }
        let rest = target.dropFirst(schemeLength)
        let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        let path = rest[end...]
        guard end > rest.startIndex else { return nil }
        return (rest[..<end], path.utf8.first == UInt8(ascii: "/") ? path : Substring("/" + path))
    }

    private struct Scan {
        var pathLength = 0
        var isNormal = true
    }

    /// One pass over path and query: refuses what has no business there, and tells whether the path is normal as it is.
    private static func scan(_ bytes: Substring.UTF8View) -> Scan? {
        var scan = Scan()
        var inPath = true
        var offset = 0
        var previous: UInt8 = 0
        var escape = 0  // digits of an escape still to come
        var high: UInt8 = 0
        for byte in bytes {
            if escape > 0 {
                guard let digit = hexValue(byte) else { return nil }
                if escape == 2 {
                    high = digit
                } else {
                    let value = high << 4 | digit
                    switch value {
                    case 0, 0x0D, 0x0A: return nil
                    // An escaped separator would mean one path to the gateway and another behind it.
                    case UInt8(ascii: "/"), UInt8(ascii: "\\"): if inPath { return nil }
                    default: break
                    }
                    if inPath { scan.isNormal = false }
                }
                escape -= 1
            } else {
                switch byte {
                case UInt8(ascii: "%"): escape = 2
                case UInt8(ascii: "?"):
                    if inPath {
                        if previous == UInt8(ascii: ".") { scan.isNormal = false }
                        inPath = false
                        scan.pathLength = offset
                    }
                case UInt8(ascii: "/"):
                    // `//` and every segment that ends in a dot take the slow way.
                    if inPath, previous == UInt8(ascii: "/") || previous == UInt8(ascii: ".") { scan.isNormal = false }
                case UInt8(ascii: "#"), UInt8(ascii: "\\"), 0...0x20, 0x7F...0xFF,
                    UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"):
                    return nil
                default: break
                }
            }
            previous = byte
            offset += 1
        }
        guard escape == 0 else { return nil }
        if inPath {
            scan.pathLength = offset
            if previous == UInt8(ascii: ".") { scan.isNormal = false }
        }
        return scan
    }

    /// Decodes escapes of unreserved characters, writes the others in upper case, merges slashes, resolves dot segments.
    private static func normalise(_ path: Substring.UTF8View.SubSequence) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(path.count)
        var bytes = path.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%"), let first = bytes.next(), let second = bytes.next(),
                let high = hexValue(first), let low = hexValue(second)
            else {
                decoded.append(byte)
                continue
            }
            let value = high << 4 | low
            if isUnreserved(value) {
                decoded.append(value)
            } else {
                decoded.append(contentsOf: [UInt8(ascii: "%"), upperHex(high), upperHex(low)])
            }
        }
        var segments: [ArraySlice<UInt8>] = []
        var endsInSlash = false
        for segment in decoded.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true) {
            switch segment {
            case [UInt8(ascii: ".")]: endsInSlash = true
            case [UInt8(ascii: "."), UInt8(ascii: ".")]:
                _ = segments.popLast()
                endsInSlash = true
            default:
                segments.append(segment)
                endsInSlash = false
            }
        }
        if decoded.last == UInt8(ascii: "/") { endsInSlash = true }
        var result: [UInt8] = []
        result.reserveCapacity(decoded.count)
        for segment in segments {
            result.append(UInt8(ascii: "/"))
            result.append(contentsOf: segment)
        }
        if endsInSlash || result.isEmpty { result.append(UInt8(ascii: "/")) }
        return result
    }

    /// RFC 3986, section 2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func upperHex(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
