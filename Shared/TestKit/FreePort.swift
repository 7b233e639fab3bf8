import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// No free port was found.
public struct NoFreePort: Error {}

private let given = Mutex<Set<Int>>([])

/// A TCP port on 127.0.0.1 that nobody listens on, and that this process gets once only.
///
/// It lies below the range from which the system takes ports for outgoing connections (32768 and up on Linux), so no
/// connection of a test can take it while the server that had it is down.
///
/// - Parameter distance: the port this far above is free as well, and given to nobody else.
public func freePort(alsoFree distance: Int? = nil) throws -> Int {
    for _ in 0..<500 {
        let port = Int.random(in: 12_000..<32_000)
        let ports = [port] + (distance.map { [port + $0] } ?? [])
        if ports.allSatisfy({ port in given.withLock { $0.insert(port).inserted } && canBind(port) }) { return port }
    }
    throw NoFreePort()
}

private func canBind(_ port: Int) -> Bool {
    let descriptor = openSocket()
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return withLoopback(port) { bind(descriptor, $0, $1) == 0 }
}

/// Whether somebody accepts connections on 127.0.0.1. The kernel does, so a frozen server counts.
public func isListening(_ port: Int) -> Bool {
    let descriptor = openSocket()
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return withLoopback(port) { connect(descriptor, $0, $1) == 0 }
}

private func openSocket() -> Int32 {
    #if canImport(Glibc)
    socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    #else
    socket(AF_INET, SOCK_STREAM, 0)
    #endif
}

private func withLoopback<Result>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
    address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
