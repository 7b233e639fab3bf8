/// An error reply of the server, as it was sent: `WRONGTYPE Operation against a key …`.
public struct RedisServerError: Error, Hashable, Sendable {
    /// The whole line after `-`. It may quote arguments of the command: not for a log or an answer.
    public let message: String

    public init(message: String) {
        self.message = message
    }

    /// The first word, by which servers tell errors apart: `ERR`, `WRONGTYPE`, `NOSCRIPT`, `LOADING`.
    public var prefix: String {
        String(message.prefix { $0 != " " })
    }
}

extension RedisServerError: CustomStringConvertible {
    /// Generic on purpose: Redis quotes arguments in its messages.
    public var description: String { "redis server error \(prefix)" }
}

/// Why a command has no answer.
public struct RedisError: Error, Hashable, Sendable {
    /// What happened; closed, so that callers can decide by it.
    public enum Code: Hashable, Sendable {
        /// There is no connection just now; the command was not sent.
        case unavailable
        /// No answer within the timeout; the server may or may not have run the command.
        case timedOut
        /// The connection ended before the answer; the server may or may not have run the command.
        case connectionLost
        /// The server answered with an error that begins with this word.
        case server(prefix: String)
        /// The client is shut down, or was told to run twice.
        case closed
        /// The server sent what is no RESP2, or an answer nobody asked for; the connection was dropped.
        case protocolViolation
        /// `maxInFlight` commands already wait for an answer; this one was not sent.
        case overloaded
        /// The command is empty or too long to be sent (512 MiB, `proto-max-bulk-len`).
        case invalidCommand
    }

    public let code: Code
    /// Details for those who may see them; may quote arguments.
    public let message: String

    public init(_ code: Code, _ message: String = "") {
        self.code = code
        self.message = message
    }

    /// The error thrown for an error reply.
    public init(_ error: RedisServerError) {
        self.init(.server(prefix: error.prefix), error.message)
    }

    /// Whether Redis cannot serve now and may later: the caller should do without it, or answer 503 with `Retry-After`.
    public var isUnavailable: Bool {
        switch code {
        case .unavailable, .timedOut, .connectionLost, .overloaded, .closed, .protocolViolation: true
        case .server(let prefix): Self.transientPrefixes.contains(prefix)
        case .invalidCommand: false
        }
    }

    /// Whether the command certainly did not run, so that sending it again cannot make it run twice.
    public var neverSent: Bool {
        switch code {
        case .unavailable, .overloaded, .closed, .invalidCommand: true
        case .timedOut, .connectionLost, .server, .protocolViolation: false
        }
    }

    /// Errors that tell about the server's state, not about the command (redis.io, "Redis error codes").
    private static let transientPrefixes: Set<String> = [
        "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "MISCONF", "NOREPLICAS", "OOM", "TRYAGAIN",
    ]
}

extension RedisError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Generic: no argument, key or value is ever in it.
    public var description: String {
        switch code {
        case .unavailable: "redis unavailable"
        case .timedOut: "redis timed out"
        case .connectionLost: "redis connection lost"
        case .server(let prefix): "redis server error \(prefix)"
        case .closed: "redis client closed"
        case .protocolViolation: "redis protocol violation"
        case .overloaded: "redis client overloaded"
        case .invalidCommand: "redis command cannot be sent"
        }
    }

    public var debugDescription: String {
        message.isEmpty ? description : "\(description): \(message)"
    }
}
