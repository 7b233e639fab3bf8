import Postgres

/// Reads the members of an object and remembers every one that breaks its rules, so that a client hears of all at once.
///
/// Each reader gives nil for a member that is missing or bad, having noted why; ``finish(_:)`` throws what was noted or
/// hands all values out unwrapped:
///
/// ```swift
/// var fields = try request.fields()
/// let name = fields.string("first_name", 1...50, trimmed: true)
/// let email = fields.parsed("email") { EmailAddress($0) }
/// let (first, address) = try fields.finish(name, email)
/// ```
///
/// or, which is the same, `try fields.finish(fields.string("first_name"), fields.bool("is_active"))`.
public struct Fields: Sendable {
    private let members: [String: JSONValue]
    private var faults: [Problem.FieldFault] = []

    /// - Parameter members: the object, as it was sent.
    public init(_ members: [String: JSONValue]) {
        self.members = members
    }

    /// Whether the client sent this member, be it null.
    public func contains(_ name: String) -> Bool { members[name] != nil }

    /// Notes a fault that no reader finds, such as two fields that don't go together.
    public mutating func note(_ name: String, _ message: String) {
        if let index = faults.firstIndex(where: { $0.field == name }) {
            faults[index].messages.append(message)
        } else {
            faults.append(.init(field: name, messages: [message]))
        }
    }

    /// Reads something else of the request, such as a part of its query, and notes what is wrong with it with the rest.
    ///
    /// - Parameter read: throws a `Problem` that names fields.
    /// - Returns: nil also for what is wrong.
    public mutating func noting<Value>(_ read: () throws(Problem) -> Value?) -> Value? {
        do throws(Problem) {
            return try read()
        } catch {
            for fault in error.errors {
                for message in fault.messages { note(fault.field, message) }
            }
            return nil
        }
    }

    /// Ends the reading.
    ///
    /// Mutating although it changes nothing: otherwise Swift would copy the fields before it evaluates the arguments of
    /// ``finish(_:)``, and miss what readers among those note.
    ///
    /// - Throws: `Problem` of code `invalid` with every fault noted.
    public mutating func finish() throws(Problem) {
        guard faults.isEmpty else { throw Problem(.invalid, errors: faults) }
    }

    /// Ends the reading and unwraps what the readers gave.
    ///
    /// - Throws: `Problem` of code `invalid` with every fault noted.
    public mutating func finish<each Value>(_ values: repeat (each Value)?) throws(Problem) -> (repeat each Value) {
        try finish()
        do {
            return (repeat try Self.unwrap(each values))
        } catch {
            throw error as? Problem ?? Problem(.invalid)
        }
    }

    private static func unwrap<Value>(_ value: Value?) throws -> Value {
        // Only a nil that came from no reader of this object can be left here.
        guard let value else { throw Problem(.invalid) }
        return value
    }

    // MARK: Needed members

    /// A text that must be there.
    ///
    /// - Parameters:
    ///   - length: how many Unicode scalars it may have, after trimming.
    ///   - trimmed: whether to take white space from both ends first.
    public mutating func string(_ name: String, _ length: ClosedRange<Int>? = nil, trimmed: Bool = false) -> String? {
        read(name, ifNull: .fault) { try Rules.string($0, length, trimmed) }.value
    }

    /// A whole number that must be there; `3.0` is one, `"3"` and `2.5` are not.
    public mutating func integer(_ name: String, _ range: ClosedRange<Int64>? = nil) -> Int64? {
        read(name, ifNull: .fault) { try Rules.integer($0, range) }.value
    }

    /// A truth value that must be there.
    public mutating func bool(_ name: String) -> Bool? {
        read(name, ifNull: .fault) { try Rules.bool($0) }.value
    }

    /// An http or https URL that must be there.
    public mutating func url(_ name: String, maximumLength: Int = 2048) -> String? {
        read(name, ifNull: .fault) { try Rules.url($0, maximumLength) }.value
    }

    /// An instant in RFC 3339 that must be there.
    public mutating func instant(_ name: String) -> Timestamp? {
        read(name, ifNull: .fault) { try Rules.instant($0) }.value
    }

    /// A text that must be there and mean something to `parse`.
    ///
    /// - Parameters:
    ///   - message: what to say when `parse` gives nil.
    ///   - parse: makes the value; a ``FieldError`` that it throws says more than nil does.
    public mutating func parsed<Value: Sendable>(
        _ name: String, _ message: String = "This is not valid.", _ parse: (String) throws -> Value?
    ) -> Value? {
        read(name, ifNull: .fault) { try Rules.parsed($0, message, parse) }.value
    }

    /// A member of any JSON type that must be there.
    public mutating func value<Value: Sendable>(_ name: String, _ parse: (JSONValue) throws -> Value) -> Value? {
        read(name, ifNull: .fault, parse).value
    }

    // MARK: Members that may be missing

    /// A text, or `otherwise` when the member is missing.
    public mutating func string(
        _ name: String, _ length: ClosedRange<Int>? = nil, trimmed: Bool = false, default otherwise: String
    ) -> String? {
        contains(name) ? string(name, length, trimmed: trimmed) : otherwise
    }

    /// A truth value, or `otherwise` when the member is missing.
    public mutating func bool(_ name: String, default otherwise: Bool) -> Bool? {
        contains(name) ? bool(name) : otherwise
    }

    /// A change to a text. With `nullable` a null clears it, otherwise null is a fault.
    public mutating func changedString(
        _ name: String, _ length: ClosedRange<Int>? = nil, trimmed: Bool = false, nullable: Bool = false
    ) -> Change<String> {
        change(name, nullable) { try Rules.string($0, length, trimmed) }
    }

    /// A change to a whole number.
    public mutating func changedInteger(
        _ name: String, _ range: ClosedRange<Int64>? = nil, nullable: Bool = false
    ) -> Change<Int64> {
        change(name, nullable) { try Rules.integer($0, range) }
    }

    /// A change to a truth value.
    public mutating func changedBool(_ name: String, nullable: Bool = false) -> Change<Bool> {
        change(name, nullable) { try Rules.bool($0) }
    }

    /// A change to an http or https URL.
    public mutating func changedURL(
        _ name: String, maximumLength: Int = 2048, nullable: Bool = false
    ) -> Change<String> {
        change(name, nullable) { try Rules.url($0, maximumLength) }
    }

    /// A change to an instant in RFC 3339.
    public mutating func changedInstant(_ name: String, nullable: Bool = false) -> Change<Timestamp> {
        change(name, nullable) { try Rules.instant($0) }
    }

    /// A change to a text that must mean something to `parse`.
    public mutating func changed<Value: Sendable>(
        _ name: String, _ message: String = "This is not valid.", nullable: Bool = false,
        _ parse: (String) throws -> Value?
    ) -> Change<Value> {
        change(name, nullable) { try Rules.parsed($0, message, parse) }
    }

    // MARK: Reading

    private enum NullRule { case fault, clears }

    private mutating func change<Value: Sendable>(
        _ name: String, _ nullable: Bool, _ parse: (JSONValue) throws -> Value
    ) -> Change<Value> {
        // A bad member counts as unchanged; `finish` will not let it pass.
        contains(name) ? read(name, ifNull: nullable ? .clears : .fault, parse) : .unchanged
    }

    private mutating func read<Value: Sendable>(
        _ name: String, ifNull rule: NullRule, _ parse: (JSONValue) throws -> Value
    ) -> Change<Value> {
        switch members[name] {
        case nil:
            note(name, "This field is required.")
        case .null where rule == .clears:
            return .cleared
        case .null:
            note(name, "This field may not be null.")
        case let value?:
            do {
                return .set(try parse(value))
            } catch let error as FieldError {
                note(name, error.message)
            } catch {
                note(name, "This is not valid.")
            }
        }
        return .unchanged
    }
}

/// What a PATCH says of one member.
public enum Change<Value: Sendable>: Sendable {
    /// Not mentioned.
    case unchanged
    /// Null: to be cleared.
    case cleared
    /// A new value.
    case set(Value)

    /// The new value, if there is one.
    public var value: Value? {
        if case .set(let value) = self { value } else { nil }
    }

    /// Whether the client mentioned the member.
    public var isMentioned: Bool {
        if case .unchanged = self { false } else { true }
    }
}

extension Change: Equatable where Value: Equatable {}

/// Says what is wrong with one field.
public struct FieldError: Error, Sendable, Equatable {
    /// A sentence for the person who filled it in.
    public var message: String

    /// - Parameter message: a sentence for the person who filled it in.
    public init(_ message: String) {
        self.message = message
    }
}
