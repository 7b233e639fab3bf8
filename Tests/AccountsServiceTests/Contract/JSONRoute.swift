import Foundation
import NIOHTTP1
import Testing

/// A route that reads a JSON object, as its tests need to know it.
struct JSONRoute: Sendable, CustomTestStringConvertible {
    enum Kind: Sendable {
        case text
        case bool
    }

    struct Field: Sendable {
        var name: String
        var kind = Kind.text
        var isRequired = true
        var isNullable = false
        /// JSON of a value that is as good as any.
        var good: String
        /// JSON of values of the right type that are none the less bad.
        var bad: [String] = []
    }

    var method: HTTPMethod
    /// After the prefix of accounts.
    var path: String
    var needsUser: Bool
    var fields: [Field]
    /// What good values alone are answered with: they are good for the reader, not for the rules behind it.
    var status: Int

    var testDescription: String { "\(method.rawValue) \(path)" }

    /// A body with all fields good, but for those given.
    func body(_ changes: [String: String?] = [:]) -> String {
        let members = fields.compactMap { field -> String? in
            let value = changes[field.name] ?? field.good
            return value.map { "\"\(field.name)\":\($0)" }
        }
        return "{\(members.joined(separator: ","))}"
    }

    /// JSON of every type but the one a field has, and null unless it may be.
    static func wrongTypes(_ field: Field) -> [String] {
        let types: [(kind: Kind?, values: [String])] = [
            (.text, [#""""#, #""true""#, #""1""#]), (.bool, ["true", "false"]),
            (nil, ["0", "1", "-1", "2.5", "1e3", "[]", "{}", #"["a"]"#, #"{"a":"b"}"#, "[[[[]]]]"]),
        ]
        return types.filter { $0.kind != field.kind }.flatMap(\.values) + (field.isNullable ? [] : ["null"])
    }

    private static let long = String(repeating: "a", count: 300)

    static let email = Field(
        name: "email", good: #""cam@example.com""#,
        bad: [
            #""""#, #""cam""#, #""cam@example""#, #""cam@example.com\u0000""#, #""\u0000""#,
            #""cam@example.com\r\nBcc: x@y.zz""#, "\"\(long)@example.com\"", #"" cam@example.com""#,
        ])

    static func password(_ name: String) -> Field {
        Field(
            name: name, good: #""password1""#,
            bad: [
                #""""#, #""short1""#, #""passwordless""#, #""password1\u0000""#, #""password\u0661""#,
                "\"1\(String(repeating: "x", count: 128))\"",
            ])
    }

    static func name(_ name: String, isRequired: Bool = true) -> Field {
        Field(
            name: name, isRequired: isRequired, good: #""Cam""#,
            bad: [#""""#, #""  \t""#, #""a\u0000b""#, "\"\(String(repeating: "é", count: 51))\""])
    }

    static func timezone() -> Field {
        Field(
            name: "timezone", isRequired: false, good: #""Europe/Paris""#,
            bad: [
                #""""#, #""Mars/Olympus""#, #""../../etc/passwd""#, #""UTC\u0000""#, #""europe/paris""#, "\"\(long)\"",
            ])
    }

    static func code(_ good: String) -> Field {
        Field(
            name: "token", good: "\"\(good)\"",
            bad: [
                #""""#, "\"\(good.dropLast())\"", "\"\(good)a\"", "\"\(good.dropLast())-\"", "\"\(good.dropLast())é\"",
                "\"\(good.dropLast())\\u0000\"", "\"\(good.dropLast(2)) a\"",
            ])
    }

    static func optional(_ field: Field) -> Field {
        var field = field
        field.isRequired = false
        return field
    }

    /// Every route of accounts that reads one; a test compares it with the route table.
    static let all: [JSONRoute] = [
        JSONRoute(
            method: .POST, path: "/register", needsUser: false,
            fields: [name("first_name"), name("last_name"), email, password("password"), timezone()], status: 201),
        JSONRoute(
            method: .POST, path: "/login", needsUser: false,
            fields: [
                Field(name: "email", good: #""nobody@example.com""#, bad: [#""a\u0000""#]),
                Field(name: "password", good: #""password1""#, bad: [#""a\u0000""#]),
            ], status: 403),
        JSONRoute(
            method: .PATCH, path: "/profile", needsUser: true,
            fields: [
                name("first_name", isRequired: false), name("last_name", isRequired: false), optional(email),
                Field(name: "email_notifications", kind: .bool, isRequired: false, good: "true"),
                Field(
                    name: "phone", isRequired: false, isNullable: true, good: #""2345678901""#,
                    bad: [
                        #""""#, #""123456789""#, #""12345678901""#, #""234567890a""#, #""(234) 567-8901""#,
                        #""234567890\u0000""#, #""٢٣٤٥٦٧٨٩٠١""#,
                    ]),
                Field(
                    name: "profile_image", isRequired: false, isNullable: true, good: #""https://example.com/a.png""#,
                    bad: [
                        #""""#, #""a.png""#, #""ftp://example.com/a""#, #""javascript:alert(1)""#,
                        #""http://example.com/\u0000""#, #""http://example.com/a b""#,
                        "\"http://example.com/\(String(repeating: "a", count: 2048))\"",
                    ]),
                Field(name: "is_active", kind: .bool, isRequired: false, good: "false"), timezone(),
            ], status: 200),
        JSONRoute(method: .POST, path: "/verify-email", needsUser: true, fields: [code("aaaaaaaaaa")], status: 404),
        JSONRoute(method: .POST, path: "/verify-phone", needsUser: true, fields: [code("aaaaaa")], status: 404),
        JSONRoute(
            method: .POST, path: "/change-password", needsUser: true,
            fields: [password("old_password"), password("new_password")], status: 200),
        JSONRoute(method: .POST, path: "/request-password", needsUser: false, fields: [email], status: 404),
        JSONRoute(
            method: .POST, path: "/reset-password", needsUser: false,
            fields: [code("aaaaaaaa"), password("new_password")], status: 404),
        JSONRoute(
            method: .POST, path: "/payment-method", needsUser: true,
            fields: [
                Field(
                    name: "payment_method", good: #""pm_card_visa""#,
                    bad: [
                        #""""#, #""card_visa""#, #""pm_""#, #""pm_card visa""#, #""pm_card_visa\u0000""#,
                        "\"pm_\(long)\"",
                    ])
            ], status: 200),
    ]
}
