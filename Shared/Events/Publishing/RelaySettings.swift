import ServiceKit

/// How a ``Relay`` works.
public struct RelaySettings: Sendable {
    /// How long events are kept after they were written; who has not read them by then starts from a snapshot.
    public var keep: Duration = .seconds(7 * 24 * 60 * 60)
    /// How often to look for what is older than that.
    public var pruneInterval: Duration = .seconds(60)
    /// Most events that are given their positions in one transaction.
    public var batch = 500

    /// How long the leader sleeps when nobody rings.
    var pollInterval: Duration = .milliseconds(250)
    /// How often the others try to become leader.
    var campaignInterval: Duration = .milliseconds(250)
    /// How long a session of a relay may say nothing before the server ends it; whole seconds. Longer than any pause
    /// that a busy machine makes.
    var silence: Duration = .seconds(5)
    /// How often each replica measures how much waits to be published.
    var measureInterval: Duration = .seconds(5)
    /// The shortest time between two looks when the first has found many events, but not a full batch. Few go out at
    /// once; of many, more share what a look costs, which is five statements and a commit.
    var lookInterval: Duration = .milliseconds(20)
    /// How many events are many.
    var many = 10
    /// The shortest time between two rings at another process' leader: the first where it is quiet or one commit waits
    /// for the other, up to the second where many come together.
    var ringIntervals: ClosedRange<Duration> = .milliseconds(2) ... .milliseconds(20)
    /// Rows deleted in one statement.
    var prunePiece = 1000

    /// The standard.
    public init() {}
}

extension SettingsReader {
    /// What every service has that publishes: `EVENTS_KEEP_DAYS`. Less than the 30 days for which it is remembered whom an
    /// event was told to.
    public mutating func relay() -> RelaySettings? {
        var settings = RelaySettings()
        guard let days = integer("EVENTS_KEEP_DAYS", in: 1...29, default: 7) else { return nil }
        settings.keep = .seconds(days * 24 * 60 * 60)
        return settings
    }
}
