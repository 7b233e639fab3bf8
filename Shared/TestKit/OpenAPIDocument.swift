import Foundation

/// What `api/openapi.yaml` documents, as far as a test compares it with what is served.
///
/// It reads the block style that the document keeps to, and takes no line for granted: what stands where a path or a
/// method should and is neither is an error.
public struct OpenAPIDocument: Sendable {
    /// One method of one path.
    public struct Operation: Sendable, Hashable, CustomStringConvertible {
        /// In capitals.
        public var method: String
        /// With named segments in braces.
        public var path: String

        public init(method: String, path: String) {
            self.method = method
            self.path = path
        }

        public var description: String { "\(method) \(path)" }
    }

    /// What is documented of an operation.
    public struct Details: Sendable {
        /// Anyone may use it: `security: []`.
        public var isPublic = false
        public var hasBody = false
        /// The status codes.
        public var statuses: Set<Int> = []
        /// The names of those of `components/parameters` that it takes.
        public var parameters: Set<String> = []
        public var id: String?
    }

    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// Everything under `paths`.
    public private(set) var operations: [Operation: Details] = [:]
    /// What each `$ref` points to, without the `#`.
    public private(set) var references: Set<String> = []
    /// Everything under `components`: `/components/schemas/User`.
    public private(set) var components: Set<String> = []

    /// The document of this package.
    public static func load() throws -> OpenAPIDocument {
        let file = Scripts.package.appendingPathComponent("api/openapi.yaml")
        return try OpenAPIDocument(String(contentsOf: file, encoding: .utf8))
    }

    /// - Throws: ``Malformed``, with the line.
    public init(_ text: String) throws {
        var section = ""
        var path = ""
        var operation: Operation?
        var group = ""
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            let content = line.drop { $0 == " " }
            guard !content.isEmpty, !content.hasPrefix("#") else { continue }
            let indent = line.count - content.count
            func malformed(_ what: String) -> Malformed {
                Malformed(description: "line \(index + 1), \(what): \(line)")
            }
            guard !content.contains("\t") else { throw malformed("a tab") }
            for reference in content.matches(of: /\$ref: "#(\/[^"]+)"/) { references.insert(String(reference.1)) }
            let key = content.prefix { $0 != ":" }.trimmingCharacters(in: ["\""])
            switch (section, indent) {
            case (_, 0):
                section = key
                (path, operation, group) = ("", nil, "")
            case ("paths", 2):
                guard key.hasPrefix("/"), content.hasSuffix(":") else { throw malformed("no path") }
                (path, operation) = (key, nil)
            case ("paths", 4) where ["parameters", "summary", "description"].contains(key):
                (operation, group) = (nil, "all")
            case ("paths", 4):
                guard Self.methods.contains(key), content.hasSuffix(":") else { throw malformed("no method") }
                let new = Operation(method: key.uppercased(), path: path)
                guard operations.updateValue(Details(), forKey: new) == nil else { throw malformed("twice") }
                (operation, group) = (new, "")
            case ("paths", 6) where group == "all" && operation == nil: break
            case ("paths", 6):
                guard let operation else { throw malformed("of no operation") }
                switch key {
                case "security": operations[operation]?.isPublic = content == "security: []"
                case "requestBody": operations[operation]?.hasBody = true
                case "operationId":
                    operations[operation]?.id = content.dropFirst("operationId:".count).trimmingCharacters(in: [" "])
                default: break
                }
                group = key
            case ("paths", 8) where group == "responses":
                guard let operation, let status = Int(key) else { throw malformed("no status") }
                operations[operation]?.statuses.insert(status)
            case ("paths", 8) where group == "parameters":
                guard let operation else { break }
                for name in content.matches(of: /#\/components\/parameters\/(\w+)/) {
                    operations[operation]?.parameters.insert(String(name.1))
                }
            case ("components", 2): group = key
            case ("components", 4): components.insert("/components/\(group)/\(key)")
            default: break
            }
        }
    }

    private static let methods: Set<String> = ["get", "put", "post", "delete", "patch"]

    /// References that lead nowhere, and components that nothing refers to.
    public var loose: [String] {
        let unused = components.subtracting(references).filter { !$0.hasPrefix("/components/securitySchemes/") }
        return (references.subtracting(components).map { "nowhere: \($0)" } + unused.map { "unused: \($0)" }).sorted()
    }

    /// Ids of operations that more than one has, or `nil` for those that have none.
    public var ambiguousIDs: [String?] {
        Dictionary(grouping: operations.values, by: \.id).filter { $0.key == nil || $0.value.count > 1 }.map(\.key)
    }
}
