import ServiceKit

extension JSONValue {
    /// The names of all members, at any depth, with the kind of their values: what two events of one type have in common.
    public var shape: Set<String> {
        switch self {
        case .object(let members):
            Set(members.flatMap { name, value in value.shape.map { ".\(name)\($0)" } }).union(["{}"])
        case .array(let elements): Set(elements.flatMap { $0.shape.map { "[]\($0)" } }).union(["[]"])
        case .null: []
        case .bool: [":bool"]
        case .integer, .number: [":number"]
        case .string: [":string"]
        }
    }
}
