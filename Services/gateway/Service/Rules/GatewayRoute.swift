/// Where a path goes.
enum GatewayRoute: Equatable, Sendable {
    case service(ServiceName)
    /// `/api/v1/events`, the stream of what happens to the signed-in user, by the gateway itself.
    case events
    /// `/health/live`, answered by the gateway itself.
    case live
    /// `/health/ready`, answered by the gateway itself.
    case ready
    case none

    /// - Parameter path: normalised.
    init(path: Substring) {
        let path = path.utf8
        self = .none
        for service in ServiceName.allCases where Self.isBelow(path, service.prefix) {
            self = .service(service)
            return
        }
        if Self.equals(path, Self.eventsPath) {
            self = .events
        } else if Self.equals(path, "/health/live") {
            self = .live
        } else if Self.equals(path, "/health/ready") {
            self = .ready
        }
    }

    static let eventsPath: StaticString = "/api/v1/events"

    /// Whether a path is the prefix itself or something below it.
    private static func isBelow(_ path: Substring.UTF8View, _ prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { prefix in
            var path = path.makeIterator()
            for byte in prefix {
                guard path.next() == byte else { return false }
            }
            let next = path.next()
            return next == nil || next == UInt8(ascii: "/")
        }
    }

    /// With or without a trailing slash.
    private static func equals(_ path: Substring.UTF8View, _ text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            path.elementsEqual(text)
                || path.count == text.count + 1 && path.last == UInt8(ascii: "/") && path.starts(with: text)
        }
    }
}

/// The services behind the gateway.
public enum ServiceName: String, Sendable, CaseIterable {
    case accounts, heroes, calls

    /// Its place among all.
    var index: Int {
        switch self {
        case .accounts: 0
        case .heroes: 1
        case .calls: 2
        }
    }

    /// Everything at or below this path is the service's.
    var prefix: StaticString {
        switch self {
        case .accounts: "/api/v1/accounts"
        case .heroes: "/api/v1/heroes"
        case .calls: "/api/v1/call-requests"
        }
    }
}
