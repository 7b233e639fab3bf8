extension JSONWriter {
    /// A member with a value that was read before.
    public mutating func field(_ name: StaticString, _ value: JSONValue) {
        field(named: String(describing: name), value)
    }

    /// A member whose name is not known before, with a value that was read before.
    public mutating func field(named name: String, _ value: JSONValue) {
        key(named: name)
        element(value)
    }

    /// A value that was read before. The members of an object come in the order of their names.
    public mutating func element(_ value: JSONValue) {
        switch value {
        case .null: element(nil as String?)
        case .bool(let value): element(value)
        case .integer(let value): element(value)
        case .number(let value): element(rawJSON: Self.text(value).utf8)
        case .string(let value): element(value)
        case .array(let values):
            array { json in
                for value in values { json.element(value) }
            }
        case .object(let members):
            object { json in
                for (name, value) in members.sorted(by: { $0.key < $1.key }) { json.field(named: name, value) }
            }
        }
    }

    /// An element that is JSON already. It is not checked.
    public mutating func element(rawJSON: some Collection<UInt8>) {
        separate()
        write(rawJSON)
    }

    /// JSON has no infinity: what is too large for a Double is written so that it is read as such again.
    private static func text(_ number: Double) -> String {
        if number.isNaN { return "null" }
        if number.isInfinite { return number < 0 ? "-1e999" : "1e999" }
        return number.description
    }
}
