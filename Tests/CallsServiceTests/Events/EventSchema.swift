import Foundation
import NIOCore
import ServiceKit

/// The schema of an event, read from the folder beside the producer, with as much of JSON Schema (draft 2020-12) as those
/// files use. A keyword that is not known here is a failure: a rule that nobody checks is none.
struct EventSchema {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Services/calls/Events")

    let root: JSONValue

    init(type: String) throws {
        root = try Self.read("\(type).schema.json")
    }

    static func read(_ name: String) throws -> JSONValue {
        let data = try Data(contentsOf: folder.appendingPathComponent(name))
        return .object(try JSONParser.object(ByteBuffer(bytes: data)))
    }

    /// The types that have a schema.
    static func types() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".schema.json") && $0 != "envelope.schema.json" }
            .map { String($0.dropLast(".schema.json".count)) }.sorted()
    }

    /// What is wrong with a value; empty when nothing is.
    func faults(of value: JSONValue) throws -> [String] {
        try Self.faults(of: value, by: root, at: "$")
    }

    private static func faults(of value: JSONValue, by schema: JSONValue, at path: String) throws -> [String] {
        let rules = schema.members
        return try rules.sorted { $0.key < $1.key }.flatMap { name, rule in
            try faults(of: value, name, rule, rules, path)
        }
    }

    private static func faults(
        of value: JSONValue, _ name: String, _ rule: JSONValue, _ rules: [String: JSONValue], _ path: String
    ) throws -> [String] {
        switch (name, rule, value) {
        case ("$schema", _, _), ("$id", _, _), ("title", _, _), ("description", _, _): []
        case ("$ref", .string(let file), _): try faults(of: value, by: read(file), at: path)
        case ("const", _, _): rule == value ? [] : ["\(path) is not \(rule)"]
        case ("type", .string(let type), _): isA(type, value) ? [] : ["\(path) is no \(type)"]
        case ("type", .array(let types), _):
            types.contains { isA($0.text ?? "", value) } ? [] : ["\(path) is none of \(types)"]
        case ("required", .array(let names), .object(let members)):
            names.compactMap(\.text).filter { members[$0] == nil }.map { "\(path).\($0) is missing" }
        case ("properties", .object(let properties), .object(let members)):
            try properties.flatMap { name, rule in
                try members[name].map { try faults(of: $0, by: rule, at: "\(path).\(name)") } ?? []
            }
        case ("additionalProperties", .bool(false), .object(let members)):
            members.keys.filter { rules["properties"]?.members[$0] == nil }.map { "\(path).\($0) has no place" }
        case ("items", _, .array(let elements)):
            try elements.enumerated().flatMap { try faults(of: $1, by: rule, at: "\(path)[\($0)]") }
        case ("minItems", .integer(let count), .array(let elements)):
            elements.count >= Int(count) ? [] : ["\(path) is too short"]
        case ("maxItems", .integer(let count), .array(let elements)):
            elements.count <= Int(count) ? [] : ["\(path) is too long"]
        case ("minimum", .integer(let least), .integer(let number)): number >= least ? [] : ["\(path) is too small"]
        case ("pattern", .string(let pattern), .string(let text)):
            try text.contains(Regex(pattern)) ? [] : ["\(path) does not match \(pattern)"]
        case ("required", _, _), ("properties", _, _), ("additionalProperties", _, _), ("items", _, _),
            ("minItems", _, _), ("maxItems", _, _), ("minimum", _, _), ("pattern", _, _):
            []
        default: throw TestFailure("\(name) at \(path) is not checked")
        }
    }

    private static func isA(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("integer", .integer), ("number", .integer), ("number", .number),
            ("string", .string), ("array", .array), ("object", .object):
            true
        default: false
        }
    }
}

extension JSONValue {
    /// The names of all members, at any depth, with the kind of their values.
    var shape: Set<String> {
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
