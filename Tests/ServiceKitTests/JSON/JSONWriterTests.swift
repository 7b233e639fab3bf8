import Foundation
import NIOCore
import Postgres
import ServiceKit
import Testing

@Suite struct JSONWriterTests {
    @Test func `a document is written in order, with commas where they belong`() throws {
        var json = JSONWriter()
        let id = try #require(UUID(uuidString: "085E8BBF-4430-4DF8-9233-8269B52BD4BF"))
        json.object { json in
            json.field("id", id)
            json.field("none", nil as String?)
            json.field("count", 12)
            json.field("minimum", Int64.min)
            json.field("big", UInt64.max)
            json.field("yes", true)
            json.field("created", Timestamp(microseconds: 1_479_311_816_179_930))
            json.array("list") { json in
                json.object { $0.field("a", 1) }
                json.object { _ in }
                json.element("x")
                json.element(nil as Int?)
            }
            json.object("inner") { $0.field("url", "https://a/b") }
            json.field(named: "a\"b", ["m"])
            json.field("raw", rawJSON: Array("[1]".utf8))
        }
        #expect(
            String(buffer: json.buffer)
                == #"{"id":"085e8bbf-4430-4df8-9233-8269b52bd4bf","none":null,"count":12,"minimum":-9223372036854775808,"#
                + #""big":18446744073709551615,"yes":true,"created":"2016-11-16T15:56:56.179930Z","#
                + #""list":[{"a":1},{},"x",null],"inner":{"url":"https://a/b"},"a\"b":["m"],"raw":[1]}"#)
    }

    @Test func `every scalar survives writing and reading`() throws {
        let all = String(String.UnicodeScalarView((0...0x2FFF).compactMap { Unicode.Scalar($0) }))
        for text in [all, "", "\"", "\\", "\u{1F600}\u{10FFFF}", "a\"b\\c\nd\u{1}"] {
            var json = JSONWriter()
            json.element(text)
            #expect(try JSONParser.value(json.buffer) == .string(text))
        }
    }
}
