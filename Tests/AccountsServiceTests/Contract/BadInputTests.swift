import AsyncHTTPClient
import Foundation
import HTTPTypes
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

/// Every JSON route with everything a client can send but what it should: made from the table in ``JSONRoute``.
@Suite("Bad input, on every route")
struct BadInputTests {
    @Test("The table has every route that reads JSON")
    func complete() async throws {
        try await RunningAccounts.with { app in
            let table = app.table.routes.filter { $0.accepts == .json }
            #expect(
                Set(table.map { "\($0) \($0.access == .user)" })
                    == Set(
                        JSONRoute.all.map { "\($0.method.rawValue) \(RunningAccounts.path)\($0.path) \($0.needsUser)" })
            )
        }
    }

    @Test("Each field of a wrong type, null, missing or against its rules is named, alone", arguments: JSONRoute.all)
    func fields(route: JSONRoute) async throws {
        try await Bench.with(route) { bench in
            for field in route.fields {
                let values: [String?] = JSONRoute.wrongTypes(field) + field.bad + (field.isRequired ? [nil] : [])
                for value in values {
                    let answer = try await bench.send(route.body([field.name: value]))
                    try bench.expectProblem(answer, .invalid, "\(field.name): \(value ?? "missing")")
                    #expect(answer.badFields == [field.name], "\(field.name): \(value ?? "missing")")
                }
            }
            // All at once: what is missing, and what may be missing but not be an array.
            let required = route.fields.filter(\.isRequired).map(\.name)
            if !required.isEmpty {
                let empty = try await bench.send("{}")
                try bench.expectProblem(empty, .invalid, "{}")
                #expect(empty.badFields == Set(required))
            }
            let arrays = Dictionary(uniqueKeysWithValues: route.fields.map { ($0.name, "[]" as String?) })
            let answer = try await bench.send(route.body(arrays))
            try bench.expectProblem(answer, .invalid, "arrays")
            #expect(answer.badFields == Set(route.fields.map(\.name)))
        }
    }

    @Test("A body that is not one JSON object is 400", arguments: JSONRoute.all)
    func malformed(route: JSONRoute) async throws {
        let good = route.body()
        let texts = [
            "", " ", "null", "true", "1", "\"a\"", "[]", "[\(good)]", "{", "}", "{}}", "{}{}", good + "x", good + good,
            good + ",", String(good.dropLast()), "{'a':1}", "{a:1}", #"{"a":1,}"#, #"{"a" 1}"#, #"{"a":01}"#,
            #"{"a":+1}"#, #"{"a":1.}"#, #"{"a":.5}"#, #"{"a":NaN}"#, #"{"a":Infinity}"#, #"{"a":-}"#, #"{"a":1e}"#,
            #"{"a":tru}"#, #"{"a":"\x"}"#, #"{"a":"\ud800"}"#, #"{"a":"\udc00\ud800"}"#, #"{"a":"\u12"}"#,
            "{\"a\":\"\n\"}", "{\"a\":\"\u{0}\"}", "/* */{}", "{}//", "\u{FEFF}{}", "{\u{A0}}", "\u{0}{}", "{}\u{0}",
            "first_name=Cam&last_name=Newton",
        ]
        let member = Array(#"{"a":""#.utf8)
        let end = Array(#""}"#.utf8)
        let utf16 = good.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        let bytes: [[UInt8]] = [
            [0xFF], member + [0xC3, 0x28] + end, utf16,
            // Half a surrogate pair, an overlong slash, a scalar beyond the last.
            member + [0xED, 0xA0, 0x80] + end, member + [0xC0, 0xAF] + end, member + [0xF4, 0x90, 0x80, 0x80] + end,
        ]
        try await Bench.with(route) { bench in
            for text in texts { try bench.expectProblem(try await bench.send(text), .malformedJSON, text) }
            for bytes in bytes {
                try bench.expectProblem(try await bench.send(bytes: bytes), .malformedJSON, "\(bytes)")
            }
        }
    }

    @Test("JSON may be 32 deep and no deeper", arguments: JSONRoute.all)
    func deep(route: JSONRoute) async throws {
        @Sendable func body(_ depth: Int) -> String {
            // The object is the first level.
            let nested = String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
            return #"{"more":\#(nested),"\#(route.fields[0].name)":5}"#
        }
        try await Bench.with(route) { bench in
            try bench.expectProblem(try await bench.send(body(32)), .invalid, "32")
            for depth in [33, 34, 1000, 16_000] {
                try bench.expectProblem(try await bench.send(body(depth)), .malformedJSON, "\(depth)")
            }
            let objects = String(repeating: #"{"a":"#, count: 40) + "1" + String(repeating: "}", count: 40)
            try bench.expectProblem(try await bench.send(objects), .malformedJSON, "objects")
        }
    }

    @Test("A body too large is 413, one of another type 415", arguments: JSONRoute.all)
    func media(route: JSONRoute) async throws {
        try await Bench.with(route) { bench in
            let padding = String(repeating: " ", count: 64 * 1024)
            try bench.expectProblem(try await bench.send(route.body() + padding), .payloadTooLarge, "length")
            // The length isn't said beforehand.
            try bench.expectProblem(
                try await bench.send(bytes: Array((route.body() + padding).utf8), isChunked: true), .payloadTooLarge,
                "chunks")
            for type in [
                "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                "application/jsonx",
                "application/json; charset=latin-1", "application/xml", "text/json", "", "application", "*/*",
            ] {
                try bench.expectProblem(
                    try await bench.send(route.body(), type: type), .unsupportedMediaType, type)
            }
            try bench.expectProblem(
                try await bench.send(route.body(), type: nil), .unsupportedMediaType, "no type")
            // Exactly as much as may be, in a type that says no more than it must.
            let fitting = "{\"a\":5}" + String(repeating: " ", count: 64 * 1024 - 7)
            for type in ["application/json", "Application/JSON; Charset=\"UTF-8\"", "application/json;charset=utf-8"] {
                let answer = try await bench.send(fitting, type: type)
                #expect(answer.status == (route.fields.contains(where: \.isRequired) ? 400 : 200), "\(type) \(answer)")
            }
        }
    }

    @Test(
        "A route of users refuses everybody else before it looks at the body",
        arguments: JSONRoute.all.filter(\.needsUser))
    func strangers(route: JSONRoute) async throws {
        try await Bench.with(route) { bench in
            for body in [route.body(), "{}", "x"] {
                let answer = try await bench.app.raw(
                    route.method, RunningAccounts.path + route.path, .init(string: body), claims: .anonymous)
                try bench.expectProblem(answer, .notAuthenticated, body)
                let away = try await bench.app.raw(
                    route.method, RunningAccounts.path + route.path, .init(string: body), claims: .unverifiable)
                try bench.expectProblem(away, .temporarilyUnavailable, body)
                #expect(away.headers.first(name: "retry-after") != nil)
            }
        }
    }

    @Test("Whatever a field holds, nothing is ever our fault", arguments: JSONRoute.all)
    func nasty(route: JSONRoute) async throws {
        let texts = [
            "\\u0000", "' OR 1=1; --", "\\\"; DROP TABLE accounts.users; --", "%s%s%n", "${jndi:ldap://x}",
            "../../../etc/passwd",
            "\\ud83d\\ude00", "\u{301}\u{301}", "\u{202E}", "\u{FEFF}", "\u{FFFF}", "\u{10FFFF}",
            "e\u{301}@example.com",
            "\u{212A}@example.com", "İ@example.com", "\\r\\n\\r\\n", "{{name}}", "a@b.co\\u0000", "\\u007f\\u0080",
            String(repeating: "a", count: 60_000), String(repeating: "字", count: 15_000),
            String(repeating: "a.", count: 20_000) + "@b.co", "a@" + String(repeating: "b.", count: 20_000) + "co",
            String(repeating: "1", count: 60_000), "http://" + String(repeating: "[", count: 10_000),
            "http://a/" + String(repeating: "%41", count: 10_000), "pm_" + String(repeating: "_", count: 252),
        ]
        let others = [
            "1e400", "-0", "9223372036854775808", "1" + String(repeating: "0", count: 50_000), "1e-400",
            "0.\(String(repeating: "1", count: 50_000))", "{\"\":{\"\":\"\"}}", "{\"__proto__\":1}",
        ]
        let values = texts.map { "\"\($0)\"" } + others
        try await Bench.with(route, isChanging: true) { bench in
            for field in route.fields {
                for value in values {
                    let answer = try await bench.send(route.body([field.name: value]))
                    #expect(answer.status < 500, "\(field.name): \(value.prefix(60)): \(answer)")
                    if answer.status == 400 {
                        #expect(answer.badFields == [field.name], "\(field.name): \(value.prefix(60)): \(answer)")
                    }
                }
            }
            // Many members, and the same one twice: the last counts (RFC 8259, section 4, leaves it open).
            let many = (0..<3000).map { "\"m\($0)\":\($0)" }.joined(separator: ",")
            #expect(try await bench.send("{\(many)}").status < 500)
            let first = route.fields[0]
            let twice = "{\"\(first.name)\":\(first.good),\"\(first.name)\":5}"
            #expect(try await bench.send(twice).badFields.contains(first.name))
        }
    }

    @Test("What can't be written and what nobody knows is ignored", arguments: JSONRoute.all)
    func extra(route: JSONRoute) async throws {
        let extra = """
            ,"id":"00000000-0000-0000-0000-000000000000","is_staff":true,"email_verified":true,"phone_verified":true,\
            "payment_verified":true,"accepted":true,"slug":"x","created":"x","updated":1,"email_pending":null,\
            "password_hash":"x","token_version":9,"user_id":[],"nobody knows":{"a":[1]}}
            """
        try await Bench.with(route, isChanging: true) { bench in
            let answer = try await bench.send(route.body().dropLast() + extra)
            #expect(answer.status == route.status, "\(answer)")
            let flags = try await bench.app.sql(
                "SELECT bool_or(is_staff), bool_or(email_verified), bool_or(phone_verified), min(created) > '2020-01-01' FROM accounts.users"
            )
            #expect(flags == "f|f|f|t")
            if route.path != "/payment-method" {
                #expect(try await bench.app.sql("SELECT bool_or(payment_verified) FROM accounts.users") == "f")
            }
        }
    }
}
