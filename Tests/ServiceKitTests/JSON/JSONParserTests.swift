import Foundation
import NIOCore
import ServiceKit
import Testing

@Suite struct JSONParserTests {
    static func parse(_ bytes: [UInt8]) -> Result<JSONValue, JSONParseError> {
        do throws(JSONParseError) { return .success(try JSONParser.value(ByteBuffer(bytes: bytes))) } catch {
            return .failure(error)
        }
    }

    static func parse(_ text: String) -> Result<JSONValue, JSONParseError> { parse(Array(text.utf8)) }

    @Test(
        arguments: [
            ("null", .null), (" true\n", .bool(true)), ("false", .bool(false)), ("\"\"", .string("")),
            ("{}", .object([:])), ("[]", .array([])),
            ("[1,[2],{\"a\":3}]", .array([.integer(1), .array([.integer(2)]), .object(["a": .integer(3)])])),
            ("{\"a\":1,\"a\":2}", .object(["a": .integer(2)])),
            ("\"\\u0000\"", .string("\0")), ("\"\\ud83d\\ude00\"", .string("😀")), ("\"\\uD83D\\uDE00\"", .string("😀")),
            ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9é\"", .string("\"\\/\u{8}\u{c}\n\r\téé")),
            ("\"\u{7f}\u{10ffff}\"", .string("\u{7f}\u{10ffff}")),
            ("0", .integer(0)), ("-0", .integer(0)), ("-0.0", .integer(0)), ("0e5", .integer(0)), ("3", .integer(3)),
            ("3.0", .integer(3)),
            ("3.000000000000000000000000000", .integer(3)), ("30e-1", .integer(3)), ("0.3e1", .integer(3)),
            ("3E+2", .integer(300)),
            ("-12", .integer(-12)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775807.0", .integer(.max)), ("922337203685477580.7e1", .integer(.max)),
            ("1000000000000000000", .integer(1_000_000_000_000_000_000)), ("1e18", .integer(1_000_000_000_000_000_000)),
            ("100.00", .integer(100)), ("0.05e2", .integer(5)), ("1010", .integer(1010)), ("10.10e1", .integer(101)),
            ("2.5", .number(2.5)), ("9223372036854775808", .number(9223372036854775808)),
            ("-9223372036854775809", .number(-9223372036854775808)), ("1e400", .number(.infinity)),
            ("-1e400", .number(-.infinity)),
            ("1e-400", .number(0)), ("1e99999999999999999999", .number(.infinity)), ("1e19", .number(1e19)),
            ("0.1", .number(0.1)),
            ("18446744073709551616", .number(18446744073709551616)),
        ] as [(String, JSONValue)])
    func `what is JSON is read`(text: String, value: JSONValue) {
        #expect(Self.parse(text) == .success(value))
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "'a'", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\t\"",
        "\"\n\"", "\"a\0b\"",
        "\0", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{\"a\" 1}", "{1:2}",
        "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
        "]", "}", "{} {}", "{}x", "1 2", "01", "-01", "+1", "1.", ".5", "1.e5", "1e", "1e+", "--1", "-", "0x10", "NaN",
        "Infinity", "1_000",
        "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"",
        "\"\\udc00\\ud800\"",
        "// c\n1", "/* c */ 1", "\u{feff}{}", "{}\u{feff}", "\u{a0}1", "\u{b}1",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(Self.parse(text) == .failure(.malformed))
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xFF, 0x22], [0x22, 0xFF, 0x5C, 0x6E, 0x22],
            Array("{\"a\":1}".utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }),
            Array("{\"a\":1}".utf16.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }),
            Array("{}".unicodeScalars.flatMap { [0, 0, 0, UInt8(truncatingIfNeeded: $0.value)] }),
        ] as [[UInt8]])
    func `what is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(Self.parse(bytes) == .failure(.malformed))
    }

    @Test func `32 levels are read and 33 are not`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        func objects(_ depth: Int) -> String {
            String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)
        }
        #expect(throws: Never.self) { try Self.parse(nested(32)).get() }
        #expect(throws: Never.self) { try Self.parse(objects(32)).get() }
        #expect(Self.parse(nested(33)) == .failure(.tooDeep))
        #expect(Self.parse(objects(33)) == .failure(.tooDeep))
        #expect(Self.parse(String(repeating: "[", count: 64 * 1024)) == .failure(.tooDeep))
        #expect(Self.parse(String(repeating: "{\"a\":", count: 12 * 1024)) == .failure(.tooDeep))
    }

    @Test func `a document that is no object is told apart`() {
        for text in ["[]", "1", "\"{}\"", "null"] {
            #expect(throws: JSONParseError.notAnObject) { try JSONParser.object(ByteBuffer(string: text)) }
        }
    }

    @Test func `a body of digits is read in time and does not trap`() {
        let digits = String(repeating: "9", count: 60_000)
        #expect(Self.parse(digits) == .success(.number(.infinity)))
        #expect(Self.parse("0." + String(repeating: "0", count: 60_000) + "1") == .success(.number(0)))
        #expect(Self.parse("1" + String(repeating: "0", count: 60_000) + "e-60000") == .success(.integer(1)))
    }

    /// Random bytes, and random changes to a good document: whatever comes, it is read or refused; and what we read
    /// Foundation reads too.
    @Test func `nothing makes the parser trap`() {
        var generator = SystemRandomNumberGenerator()
        let good = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null,{"b":"é"}],"c":"\ud83d\ude00"}"#.utf8)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(
                    in: .min ... .max, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...3, using: &generator))
            guard case .success(let value) = Self.parse(bytes) else { continue }
            if case .object = value {
                #expect(throws: Never.self, "\(String(decoding: bytes, as: UTF8.self))") {
                    try JSONSerialization.jsonObject(with: Data(bytes))
                }
            }
        }
    }
}
