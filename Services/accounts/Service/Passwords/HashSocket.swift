#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Whole messages on a blocking socket.
struct HashSocket {
    let descriptor: Int32

    /// - Returns: nil at the end of the stream, after an error, and when a time limit of the socket's has passed.
    func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: done), count - done, 0)
            }
            if got > 0 {
                done += got
            } else if got == 0 || errno != EINTR {
                return nil
            }
        }
        return bytes
    }

    /// - Returns: false if the other side is gone.
    func write(_ bytes: [UInt8]) -> Bool {
        #if os(Linux)
        let flags = Int32(MSG_NOSIGNAL)
        #else
        let flags: Int32 = 0
        #endif
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, flags)
            }
            if sent >= 0 { done += sent } else if errno != EINTR { return false }
        }
        return true
    }
}
