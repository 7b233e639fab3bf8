/// How an ``EventConsumer`` works.
public struct ConsumerSettings: Sendable {
    /// How often to look at the owner's ledger when everything seems well.
    public var lookInterval: Duration = .seconds(5)
    /// The same while no doorbell can ring, because Redis is away.
    public var deafLookInterval: Duration = .seconds(1)
    /// Most events that take effect in one transaction.
    public var batch = 100
    /// How often an event is tried, alone, before it is parked.
    public var attempts = 5

    /// Events asked for at once.
    var pageLimit = 500
    /// The wait after the first failure of an event; it doubles.
    var retryPause: Duration = .milliseconds(25)
    /// The waits while the owner or Postgres is away.
    var firstPause: Duration = .milliseconds(100)
    var longestPause: Duration = .seconds(5)
    /// How long the server lets a transaction of ours stand still: another replica waits for its cursor.
    var silence: Duration = .seconds(15)

    public init() {}
}
