import Identity
import NIOCore
import Redis
import ServiceKit

/// Everything the gateway is told from outside, read and checked once.
public struct GatewaySettings: Sendable {
    /// The address to listen on.
    public var host = "0.0.0.0"
    /// 0 takes a free one.
    public var port: Int
    /// Of `/metrics`; 0 takes a free one.
    public var metricsPort: Int
    /// Where each service is: one or more origins, each of which may be a name with many addresses.
    public var upstreams: [ServiceName: [UpstreamOrigin]]
    public var redis: RedisConfiguration
    public var secret: SecretKey
    /// `http` or `https`: how clients reach the gateway, which may be through something that ends TLS.
    public var publicScheme: String
    /// Event loops.
    public var threads: Int
    public var limits: GatewayLimits
    /// Whether each request is logged.
    public var logsRequests: Bool
    /// How long a process that was told to end still takes connections, so that balancers can notice.
    public var drainDelay: TimeAmount

    public init(
        port: Int, metricsPort: Int, upstreams: [ServiceName: [UpstreamOrigin]], redis: RedisConfiguration,
        secret: SecretKey, publicScheme: String = "http", threads: Int = System.coreCount,
        limits: GatewayLimits = .init(), logsRequests: Bool = true, drainDelay: TimeAmount = .seconds(2)
    ) {
        self.port = port
        self.metricsPort = metricsPort
        self.upstreams = upstreams
        self.redis = redis
        self.secret = secret
        self.publicScheme = publicScheme
        self.threads = threads
        self.limits = limits
        self.logsRequests = logsRequests
        self.drainDelay = drainDelay
    }

    /// - Throws: ``SettingsFaults`` with every fault.
    public init(_ reader: SettingsReader) throws(SettingsFaults) {
        var reader = reader
        let host = reader.string(firstOf: ["GATEWAY_HOST", "LISTEN_HOST"], default: "0.0.0.0")
        let port = reader.port("GATEWAY_PORT", default: 8080)
        let metricsPort = reader.port("GATEWAY_METRICS_PORT", default: 9080)
        let accounts = reader.origins("ACCOUNTS_URL", default: "http://127.0.0.1:8081")
        let heroes = reader.origins("HEROES_URL", default: "http://127.0.0.1:8082")
        let calls = reader.origins("CALLS_URL", default: "http://127.0.0.1:8083")
        let redis = reader.parsed(
            "REDIS_URL", default: RedisConfiguration(host: "127.0.0.1", name: "gateway"), "must be a redis:// URL"
        ) { try? RedisConfiguration(url: $0, name: "gateway") }
        let secret = reader.secretKey()
        let publicURL = reader.webURL("PUBLIC_URL", default: "http://localhost:8080")
        let threads = reader.integer("GATEWAY_THREADS", in: 1...256, default: System.coreCount)
        let logsRequests = reader.bool("GATEWAY_ACCESS_LOG", default: true)
        let drainDelay = reader.duration("DRAIN_SECONDS", in: 0...300, default: 2)
        var limits = GatewayLimits()
        let body = reader.integer("GATEWAY_MAX_BODY_BYTES", in: 0...1 << 40, default: limits.bodyBytes)
        let connections = reader.integer("GATEWAY_MAX_CONNECTIONS", in: 1...1_000_000, default: limits.connections)
        let connect = reader.duration("GATEWAY_CONNECT_TIMEOUT", in: 0.01...30, default: 1)
        let firstByte = reader.duration("GATEWAY_FIRST_BYTE_TIMEOUT", in: 0.1...600, default: 30)
        let idle = reader.duration("GATEWAY_IDLE_TIMEOUT", in: 0.1...600, default: 15)
        let request = reader.duration("GATEWAY_REQUEST_TIMEOUT", in: 0.1...3600, default: 60)
        let listeners = reader.integer("GATEWAY_MAX_LISTENERS", in: 0...1_000_000, default: limits.live.listeners)
        let perUser = reader.integer(
            "GATEWAY_MAX_LISTENERS_PER_USER", in: 1...10_000, default: limits.live.listenersPerUser)
        let check = reader.duration("GATEWAY_CHECK_INTERVAL", in: 0.05...60, default: 0.5)
        let resolve = reader.duration("GATEWAY_RESOLVE_INTERVAL", in: 0.1...3600, default: 3)
        (self.host, self.port, self.metricsPort) = try reader.finish(host, port, metricsPort)
        let (accountsOrigins, heroesOrigins, callsOrigins) = try reader.finish(accounts, heroes, calls)
        upstreams = [.accounts: accountsOrigins, .heroes: heroesOrigins, .calls: callsOrigins]
        let publicAddress: String
        (self.redis, self.secret, publicAddress) = try reader.finish(redis, secret, publicURL)
        publicScheme = publicAddress.lowercased().hasPrefix("https:") ? "https" : "http"
        (self.threads, self.logsRequests, self.drainDelay) = try reader.finish(threads, logsRequests, drainDelay)
        (limits.bodyBytes, limits.connections) = try reader.finish(body, connections)
        (limits.connect, limits.firstByte) = try reader.finish(connect, firstByte)
        (limits.idle, limits.request) = try reader.finish(idle, request)
        (limits.live.listeners, limits.live.listenersPerUser) = try reader.finish(listeners, perUser)
        (limits.checkInterval, limits.resolveInterval) = try reader.finish(check, resolve)
        self.limits = limits
    }
}

extension SettingsReader {
    fileprivate mutating func origins(_ name: String, default otherwise: String) -> [UpstreamOrigin]? {
        parsed(name, default: UpstreamOrigin(url: otherwise).map { [$0] }, "must be http URLs with commas between them")
        {
            let urls = $0.split(separator: ",").map { url in
                let text = String(url.trimmingSpaces)
                return UpstreamOrigin(url: text.hasSuffix("/") ? String(text.dropLast()) : text)
            }
            let good = urls.compactMap { $0 }
            return good.isEmpty || good.count < urls.count ? nil : good
        }
    }

    fileprivate mutating func duration(
        _ name: String, in range: ClosedRange<Double>, default otherwise: Double
    ) -> TimeAmount? {
        seconds(name, in: range, default: .seconds(otherwise)).map { TimeAmount($0) }
    }
}
