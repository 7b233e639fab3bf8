/// Finds the end of a chunked body, byte by byte, without decoding it (RFC 9112, section 7.1).
///
/// The decoding is NIO's. This tells where the message ends before its bytes are handed to NIO's parser, which reads on
/// into whatever follows; and it is stricter: line ends are CRLF, sizes and extensions are bounded.
struct ChunkScanner: Sendable {
    enum Fault: Error, Equatable { case malformed, tooLarge }

    private enum State {
        case size(digits: Int)
        case extensions, sizeLF
        case data, dataCR, dataLF
        case trailerStart, trailer, trailerLF, endLF
        case done
    }

    /// Bytes of all extensions and trailers of a body together: nobody reads them, and a line of them for each byte of
    /// content would cost more than the content.
    static let extraBytes = 4096

    private var state = State.size(digits: 0)
    private var remaining = 0
    private var extra = 0

    var isDone: Bool { if case .done = state { true } else { false } }

    /// Looks at further bytes; gives how many of them belong to the message.
    mutating func advance(_ bytes: UnsafeRawBufferPointer) throws(Fault) -> Int {
        var index = 0
        while index < bytes.count {
            if case .data = state {
                let take = min(remaining, bytes.count - index)
                index += take
                remaining -= take
                if remaining == 0 { state = .dataCR }
                continue
            }
            if isDone { return index }
            try step(bytes[index])
            index += 1
        }
        return index
    }

    private mutating func step(_ byte: UInt8) throws(Fault) {
        switch state {
        case .size(let digits):
            if let digit = byte.hexDigitValue {
                // Eight digits are 4 GiB.
                guard digits < 8 else { throw .malformed }
                remaining = remaining << 4 | digit
                state = .size(digits: digits + 1)
            } else {
                guard digits > 0 else { throw .malformed }
                switch byte {
                case UInt8(ascii: "\r"): state = .sizeLF
                case UInt8(ascii: ";"): state = .extensions
                default: throw .malformed
                }
            }
        case .extensions:
            if byte == UInt8(ascii: "\r") { state = .sizeLF } else { try count(byte) }
        case .sizeLF:
            guard byte == UInt8(ascii: "\n") else { throw .malformed }
            state = remaining == 0 ? .trailerStart : .data
        case .dataCR:
            guard byte == UInt8(ascii: "\r") else { throw .malformed }
            state = .dataLF
        case .dataLF:
            guard byte == UInt8(ascii: "\n") else { throw .malformed }
            state = .size(digits: 0)
        case .trailerStart:
            if byte == UInt8(ascii: "\r") {
                state = .endLF
            } else {
                // No line may continue another (RFC 9112, section 5.2).
                guard byte != 0x20, byte != 0x09 else { throw .malformed }
                try count(byte)
                state = .trailer
            }
        case .trailer:
            if byte == UInt8(ascii: "\r") { state = .trailerLF } else { try count(byte) }
        case .trailerLF:
            guard byte == UInt8(ascii: "\n") else { throw .malformed }
            state = .trailerStart
        case .endLF:
            guard byte == UInt8(ascii: "\n") else { throw .malformed }
            state = .done
        case .data, .done:
            break
        }
    }

    private mutating func count(_ byte: UInt8) throws(Fault) {
        guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { throw .malformed }
        extra += 1
        if extra > Self.extraBytes { throw .tooLarge }
    }
}

extension UInt8 {
    fileprivate var hexDigitValue: Int? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(self - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(self - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(self - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
