#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Finds the end of a header section, and refuses what only a lenient parser reads: bare line feeds, continued lines.
struct HeadScanner: Sendable {
    enum Result: Equatable {
        case incomplete
        /// The section has this many bytes, its empty line included, and its first line ends (before CRLF) here.
        case complete(length: Int, firstLine: Int)
        case malformed, tooLarge, tooManyFields
    }

    private let maximumBytes: Int
    private let maximumFields: Int
    private var lineStart = 0
    private var scanned = 0
    private var lines = 0
    private var firstLine = 0

    init(maximumBytes: Int, maximumFields: Int) {
        self.maximumBytes = maximumBytes
        self.maximumFields = maximumFields
    }

    /// Whether nothing of a section has been seen yet.
    var isFresh: Bool { scanned == 0 }

    /// Looks at the section from its start, of which more is there each time.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Result {
        guard let base = bytes.baseAddress else { return .incomplete }
        while scanned < bytes.count, let found = memchr(base + scanned, 0x0A, bytes.count - scanned) {
            let feed = UnsafeRawPointer(found) - base
            guard feed > lineStart, bytes[feed - 1] == 0x0D else { return .malformed }
            scanned = feed + 1
            if scanned > maximumBytes { return .tooLarge }
            let length = feed - 1 - lineStart
            if length == 0 {
                // A first line must be there.
                guard lines > 0 else { return .malformed }
                return .complete(length: feed + 1, firstLine: firstLine)
            }
            if lines == 0 {
                firstLine = feed - 1
            } else if bytes[lineStart] == 0x20 || bytes[lineStart] == 0x09 {
                return .malformed
            }
            if lines > maximumFields { return .tooManyFields }
            lines += 1
            lineStart = feed + 1
        }
        scanned = bytes.count
        return scanned > maximumBytes ? .tooLarge : .incomplete
    }
}
