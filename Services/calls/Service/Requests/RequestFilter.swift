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

    /// Reads the filters of a query.
    ///
    /// - Parameter faults: is told of each value that is none.
    init(_ query: Query, noting faults: inout Fields) {
        role = Self.choice("role", query, &faults)
        status = Self.choice("status", query, &faults)
        isUpcoming = faults.noting { () throws(Problem) in try query.bool("upcoming") } ?? false
    }

    private static func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ query: Query, _ faults: inout Fields
    ) -> Value? {
        guard let text = query[name] else { return nil }
        guard let value = Value(rawValue: text) else {
            faults.note(name, "This must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")).")
            return nil
        }
        return value
    }
}
