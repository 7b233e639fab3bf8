import NIOCore

/// How many, how long and how often for the streams of events.
public struct LiveLimits: Sendable {
    /// Streams of the whole process; those above it get 503.
    public var listeners = 10_000
    /// Streams of one user; those above it get 429.
    public var listenersPerUser = 10
    /// Events of each service that can be told again.
    public var replayEvents = 1_000
    /// Bytes that wait for one listener. What does not fit stays in the replay, which all share.
    public var bufferBytes = 64 * 1024
    /// Between two signs of life.
    public var heartbeat: TimeAmount = .seconds(15)
    /// How long a listener may leave what it was sent unread.
    public var stall: TimeAmount = .seconds(15)
    /// After so long without news of its token a stream's token is looked up again; up to a quarter less, so that those
    /// of thousands don't come together.
    public var recheck: TimeAmount = .seconds(50)
    /// How long a stream stays while nobody can say whose its token is. It is told nothing in that time.
    public var doubt: TimeAmount = .seconds(120)
    /// Between two looks into a ledger while all seems well.
    public var askInterval: TimeAmount = .seconds(5)
    /// After how long a client should come back when its stream has ended.
    public var retry: TimeAmount = .seconds(3)

    public init() {}
}
