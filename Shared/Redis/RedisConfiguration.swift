import NIOCore
import NIOSSL

/// Where a Redis server is and how long to wait for it.
public struct RedisConfiguration: Sendable {
    /// Its name or address.
    public var host: String
    /// Its TCP port.
    public var port: Int
    /// ACL user; nil authenticates as `default` when there is a password.
    public var username: String?
    /// nil authenticates as nobody.
    public var password: String?
    /// Selected on every connect.
    public var database: Int
    /// Set for `rediss://`: the server's certificate is verified against it and against `host`.
    public var tls: TLSConfiguration?
    /// Names the connection in `CLIENT LIST` and in the metrics' `connection` dimension: letters, digits, `-`, `_`, `.`.
    public var name: String
    /// For all of one attempt: resolving, connecting, TLS, AUTH, SELECT and INFO.
    public var connectTimeout: TimeAmount = .seconds(1)
    /// How long a command may wait for its answer. One that waits longer takes the connection with it.
    public var commandTimeout: TimeAmount = .seconds(1)
    /// How often an idle connection is pinged. A dead server is found within this and `commandTimeout`.
    public var pingInterval: TimeAmount = .seconds(1)
    /// How many commands may wait for an answer on one connection.
    public var maxInFlight = 4096
    /// The largest reply taken, in bytes; a server that sends more is taken for no Redis server.
    public var maxReplyBytes = 64 << 20

    /// Reads `redis://[[user:]password@]host[:port][/database]`, or `rediss://` for TLS; parts may be percent-encoded.
    /// - Throws: `RedisConfigurationError`, which never quotes the URL (it may hold a password).
    public init(url: String, name: String = "redis") throws {
        let parts = try RedisURL(url)
        self.init(host: parts.host, port: parts.port, name: name)
        username = parts.username
        password = parts.password
        database = parts.database
        tls = parts.secure ? TLSConfiguration.makeClientConfiguration() : nil
    }

    /// A server without TLS or a password, unless they are set.
    public init(host: String, port: Int = 6379, name: String = "redis") {
        self.host = host
        self.port = port
        self.name = name
        database = 0
    }

    /// The same server under another name.
    public func named(_ name: String) -> RedisConfiguration {
        var copy = self
        copy.name = name
        return copy
    }
}

extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// Never has the password.
    public var description: String {
        "\(tls == nil ? "redis" : "rediss")://\(host):\(port)/\(database)"
    }

    public var debugDescription: String { description }
}

extension RedisConfiguration: CustomReflectable {
    /// `dump` and string interpolation of an enclosing value reflect: they don't get the password either.
    public var customMirror: Mirror {
        Mirror(self, children: ["host": host, "port": port, "database": database, "name": name])
    }
}

/// What is wrong with a Redis URL.
public enum RedisConfigurationError: Error, Equatable, Sendable {
    case badScheme, badHost, badPort, badDatabase, badPercentEncoding
}
