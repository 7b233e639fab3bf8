import CallsDomain
import ServiceKit

/// Which of a person's requests a list has.
struct RequestFilter: Sendable, Hashable {
    /// The side that the person is on.
    enum Role: String, Sendable, CaseIterable {
        case user
        case hero
    }

    /// Nil for both.
    var role: Role?
    var status: CallRequest.Status?
    /// Only agreed calls that have not begun.
    var isUpcoming = false

    init() {}

    /// - Throws: `Problem` (400) for a value that is none.
    init(_ query: Query) throws(Problem) {
        role = try Self.choice("role", query)
        status = try Self.choice("status", query)
        isUpcoming = try query.bool("upcoming") ?? false
    }

    private static func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ query: Query
    ) throws(Problem) -> Value? {
        guard let text = query[name] else { return nil }
        guard let value = Value(rawValue: text) else {
            throw .invalid(name, "This must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return value
    }
}
