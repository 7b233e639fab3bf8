import TestKit

#if canImport(Glibc)
import Glibc
#endif

/// A port of this machine where a connection is neither made nor refused: its queue is full and nobody accepts.
struct Deaf {
    private let descriptors: [Int32]

    static func listen() async throws -> (port: Int, Deaf) {
        let port = try freePort()
        var descriptors = [socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)]
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        let call = { (body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 in
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard call({ bind(descriptors[0], $0, $1) }) == 0, Glibc.listen(descriptors[0], 0) == 0 else {
            throw RawTimeout(what: "listening socket")
        }
        // Linux queues one more than it was told; the others leave their SYN unanswered.
        for _ in 0..<3 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            _ = call { connect(descriptor, $0, $1) }
            descriptors.append(descriptor)
        }
        return (port, Deaf(descriptors: descriptors))
    }

    func close() {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }
}
