import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Finds all addresses of upstreams, on threads of its own: the system's resolver blocks.
struct NameResolver: Sendable {
    private let threads: NIOThreadPool

    /// - Parameter threads: started; one for each service, so that a name that is slow to find holds up no other.
    init(threads: NIOThreadPool) {
        self.threads = threads
    }

    /// All addresses of all origins, each once, in a stable order; those of a name that has none now are missing.
    func resolve(_ origins: [UpstreamOrigin]) async -> [UpstreamOrigin: [UpstreamAddress]] {
        await withTaskGroup(of: (UpstreamOrigin, [UpstreamAddress]).self) { tasks in
            for origin in origins {
                tasks.addTask { (origin, (try? await threads.runIfActive { Self.lookUp(origin) }) ?? []) }
            }
            return await tasks.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private static func lookUp(_ origin: UpstreamOrigin) -> [UpstreamAddress] {
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(origin.host, String(origin.port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: Set<SocketAddress> = []
        var next = list
        while let info = next?.pointee {
            if let address = socketAddress(info) { addresses.insert(address) }
            next = info.ai_next
        }
        return addresses.sorted { $0.description < $1.description }
            .map { UpstreamAddress(socket: $0, authority: origin.authority) }
    }

    private static func socketAddress(_ info: addrinfo) -> SocketAddress? {
        guard let address = info.ai_addr else { return nil }
        switch info.ai_family {
        case AF_INET:
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
        case AF_INET6:
            return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
        default:
            return nil
        }
    }
}

/// One of the URLs under which a service is found.
public struct UpstreamOrigin: Sendable, Hashable {
    /// A name, perhaps with many addresses, or an address.
    public let host: String
    public let port: Int

    /// What goes into `Host`.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// - Parameter url: `http://host[:port]`, without a path; nil for anything else.
    public init?(url: String) {
        guard url.lowercased().hasPrefix("http://") else { return nil }
        let authority = url.dropFirst(7)
        guard RequestRules.isAuthority(authority) else { return nil }
        if authority.hasPrefix("[") {
            let parts = authority.dropFirst().split(separator: "]", maxSplits: 1, omittingEmptySubsequences: false)
            host = String(parts[0])
            port = parts.count > 1 ? Int(parts[1].dropFirst()) ?? 80 : 80
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1)
            host = String(parts[0])
            port = parts.count > 1 ? Int(parts[1]) ?? 80 : 80
        }
    }
}
