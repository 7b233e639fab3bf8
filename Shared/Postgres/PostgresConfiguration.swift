/// Where the database is and how much of it one process may use.
public struct PostgresConfiguration: Sendable {
    /// A connection string or URI as libpq has it, several hosts allowed (libpq, "Connection Strings").
    public var conninfo: String
    /// Shown in `pg_stat_activity`.
    public var applicationName: String
    /// Connections that reads share, in pipeline mode. More than 2 to 4 are slower, not faster.
    public var readConnections = 2
    /// Most connections for lone writes, transactions and sessions; each serves one of them at a time.
    public var maxConnections = 16
    /// Longest wait for a connection.
    public var acquireTimeout: Duration = .seconds(3)
    /// Longest time to connect to one host. libpq counts in whole seconds and knows nothing below two.
    public var connectTimeout: Duration = .seconds(2)
    /// Longest run of a statement, kept by the server. A server that is silent for a second more is taken for dead.
    public var statementTimeout: Duration = .seconds(10)
    /// Longest time that a server may take to hear that it is to stop a statement. A connection for which it takes
    /// longer is given up.
    public var cancelTimeout: Duration = .seconds(2)
    /// Most callers that may wait for a connection; who comes after them is refused at once.
    public var maxWaiters = 1024
    /// Prepared statements remembered for each connection.
    public var statementCacheSize = 256
    /// Settings of every session (PostgreSQL, "Server Configuration"): names and values as they stand, without spaces.
    /// Statements are short here: compiling one (`jit`) takes longer than it runs.
    public var sessionSettings = ["jit": "off"]
    /// How often a transaction runs when the server asks for another try (40001, 40P01).
    public var transactionAttempts = 8
    /// An exclusive connection idle for longer is closed; one is kept.
    public var idleTimeout: Duration = .seconds(300)

    /// - Parameters:
    ///   - conninfo: a libpq connection string or URI.
    ///   - applicationName: the name shown in `pg_stat_activity`.
    public init(_ conninfo: String, applicationName: String) {
        self.conninfo = conninfo
        self.applicationName = applicationName
    }
}

extension Duration {
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1 << 33)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    var wholeMilliseconds: Int64 { Int64(nanoseconds / 1_000_000) }
}
