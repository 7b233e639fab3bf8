import Foundation
import Identity

/// One connection to accounts that asks for a profile and reads the answer, blocking: a client that costs as little as
/// one can, so that what is measured is the server.
final class ProfileReader {
    private static let path = "/api/v1/accounts/profile"

    private let descriptor: Int32
    private let user: Claims
    private let seal: IdentitySeal
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    init(port: Int, user: Claims, secret: String) throws {
        self.user = user
        self.seal = IdentitySeal(try SecretKey(secret))
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw AccountsBench.Failure(description: "connect: errno \(errno)")
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// - Parameter offset: by how much of an interval it starts late, so that not all connections ask at once.
    /// - Returns: seconds that each request took from when it was due.
    func run(rate: Double, seconds: Double, offset: Double) throws -> [Double] {
        let interval = 1 / rate
        let start = Self.now() + offset * interval
        var times: [Double] = []
        for index in 0..<Int(seconds * rate) {
            let due = start + Double(index) * interval
            let wait = due - Self.now()
            // Requests are due by the clock, whether or not the one before was slow: a thread of its own may block.
            if wait > 0 { usleep(UInt32(wait * 1e6)) }
            try ask()
            times.append(Self.now() - due)
        }
        return times
    }

    private func ask() throws {
        let claims = seal.sign(user, method: "GET", path: Self.path, now: Int64(time(nil)))
        try send(
            "GET \(Self.path) HTTP/1.1\r\nhost: accounts\r\n\(Claims.headerName): \(claims)\r\n\r\n")
        var count = 0
        while true {
            let received = buffer.withUnsafeMutableBytes { raw in
                recv(descriptor, raw.baseAddress?.advanced(by: count), raw.count - count, 0)
            }
            guard received > 0 else { throw AccountsBench.Failure(description: "recv: errno \(errno)") }
            count += received
            // The profile is one object and the last byte of the answer.
            if buffer[count - 1] == UInt8(ascii: "}") { break }
        }
        guard buffer.starts(with: Array("HTTP/1.1 200".utf8)) else {
            throw AccountsBench.Failure(description: String(decoding: buffer[..<count], as: UTF8.self))
        }
    }

    private func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        let sent = bytes.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == bytes.count else { throw AccountsBench.Failure(description: "send: errno \(errno)") }
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
