import NIOCore

/// A reply of a Redis server, in RESP2 (the protocol hiredis 0.14 reads).
///
/// A `bulk` owns its bytes: keeping one alive keeps nothing else alive.
public enum RESPValue: Sendable, Equatable {
    /// `+OK`, `+PONG`, `+QUEUED`; bytes that are not UTF-8 are repaired.
    case simple(String)
    /// An error inside an array (of `EXEC`, of a script). At the top a command throws it instead.
    case error(RedisServerError)
    case integer(Int64)
    case bulk(ByteBuffer)
    case array([RESPValue])
    /// A missing value: `$-1` or `*-1`.
    case null
}

extension RESPValue {
    /// The bytes of a bulk or a simple string, nil for everything else.
    public var bytes: ByteBuffer? {
        switch self {
        case .bulk(let buffer): buffer
        case .simple(let text): ByteBuffer(string: text)
        case .error, .integer, .array, .null: nil
        }
    }

    /// The text of a bulk or a simple string (bytes that are not UTF-8 are repaired), nil for everything else.
    public var string: String? {
        switch self {
        case .bulk(let buffer): String(buffer: buffer)
        case .simple(let text): text
        case .error, .integer, .array, .null: nil
        }
    }

    /// The number of an integer reply, nil for everything else.
    public var integer: Int64? {
        if case .integer(let number) = self { number } else { nil }
    }

    /// The elements of an array reply, nil for everything else.
    public var array: [RESPValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    /// Whether the server said that there is no such value.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }
}
