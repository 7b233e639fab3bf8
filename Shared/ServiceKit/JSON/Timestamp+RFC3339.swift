import Postgres

extension Timestamp {
    /// An instant as RFC 3339 writes it; see ``RFC3339/microseconds(_:)`` for what is accepted.
    public init?(rfc3339 text: some StringProtocol) {
        guard let microseconds = RFC3339.microseconds(text) else { return nil }
        self.init(microseconds: microseconds)
    }

    /// In UTC with six fractional digits and `Z`.
    public var rfc3339: String { RFC3339.text(microseconds: microseconds) }
}

extension JSONWriter {
    /// A member with an instant, or null.
    public mutating func field(_ name: StaticString, _ value: Timestamp?) {
        field(name, microseconds: value?.microseconds)
    }

    /// An instant, or null.
    public mutating func element(_ value: Timestamp?) {
        element(microseconds: value?.microseconds)
    }
}
