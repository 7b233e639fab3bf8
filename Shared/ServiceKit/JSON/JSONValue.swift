/// A JSON document as it was sent (RFC 8259).
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number without a fraction that fits: `3`, `3.0` and `30e-1` are all 3.
    case integer(Int64)
    /// Any other number: `2.5`, `9223372036854775808`, `1e400` (infinite).
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// Of a name that comes twice, the last value counts.
    case object([String: JSONValue])
}
