import Foundation
import NIOCore
import ServiceKit

/// The schema of an event, read from the folder beside its producer, with as much of JSON Schema (draft 2020-12) as
/// those files use. A keyword that is not known here is an error: a rule that nobody checks is none.
public struct EventSchema: Sendable {
    /// A schema that can't be checked.
    public struct Unreadable: Error, CustomStringConvertible {
        public let description: String
    }

    /// `Services/<service>/Events`.
    public let folder: URL
    private let root: JSONValue

    /// - Parameters:
    ///   - service: the producer.
    ///   - type: the event, such as `hero.applied`.
    public init(service: String, type: String) throws {
        folder = Self.folder(of: service)
        root = try Self.read("\(type).schema.json", in: folder)
    }

    /// Where a producer keeps its schemas and samples.
    public static func folder(of service: String) -> URL {
        Scripts.package.appendingPathComponent("Services/\(service)/Events")
    }

    /// The sample of an event, as one release published it.
    public static func sample(service: String, type: String) throws -> JSONValue {
        try read("\(type).sample.json", in: folder(of: service))
    }

    /// The types that have a schema.
    public static func types(of service: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder(of: service).path)
            .filter { $0.hasSuffix(".schema.json") && $0 != "envelope.schema.json" }
            .map { String($0.dropLast(".schema.json".count)) }.sorted()
    }

    /// What is wrong with a value; empty when nothing is.
    public func faults(of value: JSONValue) throws -> [String] {
        try faults(of: value, by: root, at: "$")
    }

    private static func read(_ name: String, in folder: URL) throws -> JSONValue {
        let data = try Data(contentsOf: folder.appendingPathComponent(name))
        return .object(try JSONParser.object(ByteBuffer(bytes: data)))
    }

    private func faults(of value: JSONValue, by schema: JSONValue, at path: String) throws -> [String] {
        guard case .object(let rules) = schema else { throw Unreadable(description: "no schema at \(path)") }
        return try rules.sorted { $0.key < $1.key }.flatMap { name, rule in
            try faults(of: value, name, rule, rules, path)
        }
    }

    private func faults(
        of value: JSONValue, _ name: String, _ rule: JSONValue, _ rules: [String: JSONValue], _ path: String
    ) throws -> [String] {
        switch (name, rule, value) {
        case ("$schema", _, _), ("$id", _, _), ("title", _, _), ("description", _, _): return []
        case ("$ref", .string(let file), _):
            return try faults(of: value, by: Self.read(file, in: folder), at: path)
        case ("const", _, _): return rule == value ? [] : ["\(path) is not \(rule)"]
        case ("enum", .array(let values), _): return values.contains(value) ? [] : ["\(path) is none of \(values)"]
        case ("type", .string(let type), _): return Self.isA(type, value) ? [] : ["\(path) is no \(type)"]
        case ("type", .array(let types), _):
            let isOne = types.contains { if case .string(let type) = $0 { Self.isA(type, value) } else { false } }
            return isOne ? [] : ["\(path) is none of \(types)"]
        case ("required", .array(let names), .object(let members)):
            return names.compactMap {
                if case .string(let name) = $0, members[name] == nil { "\(path).\(name) is missing" } else { nil }
            }
        case ("properties", .object(let properties), .object(let members)):
            return try properties.flatMap { name, rule in
                try members[name].map { try faults(of: $0, by: rule, at: "\(path).\(name)") } ?? []
            }
        case ("additionalProperties", .bool(false), .object(let members)):
            guard case .object(let known)? = rules["properties"] else {
                throw Unreadable(description: "no properties at \(path)")
            }
            return members.keys.filter { known[$0] == nil }.map { "\(path).\($0) has no place" }
        case ("items", _, .array(let elements)):
            return try elements.enumerated().flatMap { try faults(of: $1, by: rule, at: "\(path)[\($0)]") }
        case ("minItems", .integer(let count), .array(let elements)):
            return elements.count >= Int(count) ? [] : ["\(path) is too short"]
        case ("maxItems", .integer(let count), .array(let elements)):
            return elements.count <= Int(count) ? [] : ["\(path) is too long"]
        case ("minimum", .integer(let least), .integer(let number)):
            return number >= least ? [] : ["\(path) is too small"]
        case ("maximum", .integer(let most), .integer(let number)):
            return number <= most ? [] : ["\(path) is too large"]
        case ("pattern", .string(let pattern), .string(let text)):
            return try text.contains(Regex(pattern)) ? [] : ["\(path) does not match \(pattern)"]
        case ("required", .array, _), ("properties", .object, _), ("additionalProperties", .bool, _), ("items", _, _),
            ("minItems", .integer, _), ("maxItems", .integer, _), ("minimum", .integer, _), ("maximum", .integer, _),
            ("pattern", .string, _):
            return []
        default: throw Unreadable(description: "\(name) at \(path) is not checked")
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
