#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The time of day as HTTP has it (RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`), written once a second.
struct HTTPDate {
    private var second = Int64.min
    private var written = ""

    /// Now.
    var text: String {
        mutating get {
            let now = WallClock.seconds
            if now != second {
                second = now
                written = Self.format(now)
            }
            return written
        }
    }

    /// - Parameter seconds: since the Unix epoch.
    static func format(_ seconds: Int64) -> String {
        var seconds = time_t(seconds)
        var time = tm()
        gmtime_r(&seconds, &time)
        return String(unsafeUninitializedCapacity: 32) { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress, $0.count, "%a, %d %b %Y %H:%M:%S GMT", &time)
            }
        }
    }
}
