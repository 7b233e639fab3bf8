import Foundation
import NIOPosix

/// One answer as it came over the wire.
struct WireAnswer: Sendable {
    var status = 0
    var fields: [(String, String)] = []
    var body: [UInt8] = []

    subscript(name: String) -> String? { fields.first { $0.0 == name }?.1 }
    var text: String { String(decoding: body, as: UTF8.self) }

    func json() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] ?? [:]
    }
}

struct WireError: Error, CustomStringConvertible {
    let description: String
}

/// A connection that sends bytes as they are and reads answers, to test what no well-kept client would send.
final class Wire: Sendable {
    private let descriptor: Int32

    init(port: Int) async throws {
        descriptor = try await Wire.onThread {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var timeout = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
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
                throw WireError(description: "connect: \(errno)")
            }
            return descriptor
        }
    }

    deinit { close(descriptor) }

    /// Blocking calls go to a thread that may block: the cooperative pool has as few as two.
    private static func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await NIOThreadPool.singleton.runIfActive(body)
    }

    func send(_ bytes: [UInt8]) async throws {
        let descriptor = descriptor
        try await Wire.onThread {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw WireError(description: "send: \(errno)") }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Says that nothing more will be sent; what is sent back can still be read.
    func endSending() async throws {
        guard shutdown(descriptor, Int32(SHUT_WR)) == 0 else { throw WireError(description: "shutdown: \(errno)") }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    private static func byte(_ descriptor: Int32) throws -> UInt8? {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        if count < 0 { throw WireError(description: "recv: \(errno)") }
        return count == 0 ? nil : byte
    }

    private static func bytes(_ descriptor: Int32, _ length: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: length) { bytes, count in
            while count < length {
                let read = recv(descriptor, bytes.baseAddress.map { $0 + count }, length - count, 0)
                guard read > 0 else { throw WireError(description: "ended in a body: \(read < 0 ? errno : 0)") }
                count += read
            }
        }
    }

    /// The next answer, or nil when the connection ended before it.
    func answer(toHead: Bool = false) async throws -> WireAnswer? {
        let descriptor = descriptor
        return try await Wire.onThread {
            var head: [UInt8] = []
            while head.suffix(4) != [13, 10, 13, 10] {
                guard let byte = try Wire.byte(descriptor) else {
                    guard head.isEmpty else { throw WireError(description: "ended in a head") }
                    return nil
                }
                head.append(byte)
            }
            var answer = WireAnswer()
            let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
            answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
            for line in lines.dropFirst() where !line.isEmpty {
                let parts = line.split(separator: ":", maxSplits: 1)
                answer.fields.append((parts[0].lowercased(), parts[1].trimmingCharacters(in: .whitespaces)))
            }
            guard !toHead, let length = answer["content-length"].flatMap({ Int($0) }) else { return answer }
            answer.body = try Wire.bytes(descriptor, length)
            return answer
        }
    }

    /// Whether the other side has closed, with nothing more to read.
    func isEnded() async throws -> Bool {
        let descriptor = descriptor
        return try await Wire.onThread {
            do {
                return try Wire.byte(descriptor) == nil
            } catch {
                return errno == ECONNRESET
            }
        }
    }
}
