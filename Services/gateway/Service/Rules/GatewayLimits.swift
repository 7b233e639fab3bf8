import NIOCore

/// How much, how many and how long the gateway allows.
public struct GatewayLimits: Sendable {
    /// Bytes of a request's line and header section together.
    public var headBytes = 32 * 1024
    /// Fields of a header section.
    public var headerFields = 64
    /// Bytes of a request target.
    public var targetBytes = 4 * 1024
    /// Bytes of a request's content.
    public var bodyBytes = 1024 * 1024
    /// Client connections of the whole process; those above it get 503.
    public var connections = 20_000
    /// Requests that one event loop has at one upstream address at a time.
    public var requestsPerUpstream = 1024
    /// Idle connections that one event loop keeps to one upstream address.
    public var idlePerUpstream = 128

    /// For one attempt to connect to an upstream address.
    public var connect: TimeAmount = .seconds(1)
    /// From the end of a request to the first byte of its answer.
    public var firstByte: TimeAmount = .seconds(30)
    /// Between two pieces of a request's or an answer's body.
    public var idle: TimeAmount = .seconds(15)
    /// For a request as a whole, from its first byte to the last byte of its answer.
    public var request: TimeAmount = .seconds(60)
    /// For a request's header section, from its first byte on.
    public var head: TimeAmount = .seconds(10)
    /// For a client connection between requests.
    public var keepAlive: TimeAmount = .seconds(75)
    /// For an upstream connection between requests; less than any upstream's own, so that it rarely closes first.
    public var upstreamKeepAlive: TimeAmount = .seconds(15)
    /// Between two checks of an upstream address. A service that drains says so for two seconds before it stops
    /// accepting: it must be heard in time.
    public var checkInterval: TimeAmount = .milliseconds(500)
    /// How long an upstream address may take to say whether it is ready.
    public var checkTimeout: TimeAmount = .seconds(1)
    /// Between two look-ups of the names of upstreams.
    public var resolveInterval: TimeAmount = .seconds(3)
    /// For streams of events.
    public var live = LiveLimits()
    /// For what is in flight when the process shuts down.
    public var drain: TimeAmount = .seconds(25)
    /// How long a half-closed client waits before the gateway finds out whether it is still there.
    public var halfClosedProbe: TimeAmount = .seconds(1)
    /// How long what a client still sends is read and thrown away after a final answer, so that the answer is not lost
    /// to a TCP reset.
    public var linger: TimeAmount = .seconds(2)

    public init() {}
}
