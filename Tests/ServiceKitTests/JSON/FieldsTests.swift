import NIOCore
import Postgres
import ServiceKit
import Testing

@Suite struct FieldsTests {
    func fields(_ json: String) throws -> Fields { Fields(try JSONParser.object(ByteBuffer(string: json))) }

    func faults(_ json: String, _ read: (inout Fields) -> Void) throws -> [String: [String]] {
        var fields = try fields(json)
        read(&fields)
        do throws(Problem) {
            try fields.finish()
            return [:]
        } catch {
            #expect(error.code == .invalid)
            return Dictionary(uniqueKeysWithValues: error.errors.map { ($0.field, $0.messages) })
        }
    }

    @Test func `good members come out unwrapped`() throws {
        var fields = try fields(
            #"{"name":"  Cam ","age":3.0,"on":true,"site":"https://a.b/c?d#e","at":"2016-11-16T15:56:56Z","kind":"x"}"#)
        let name = fields.string("name", 1...50, trimmed: true)
        let age = fields.integer("age", 0...80)
        let isOn = fields.bool("on")
        let site = fields.url("site")
        let at = fields.instant("at")
        let kind = fields.parsed("kind") { $0 == "x" ? 7 : nil }
        let zone = fields.string("zone", default: "UTC")
        let values = try fields.finish(name, age, isOn, site, at, kind, zone)
        #expect(values.0 == "Cam")
        #expect(values.1 == 3)
        #expect(values.2)
        #expect(values.3 == "https://a.b/c?d#e")
        #expect(values.4 == Timestamp(microseconds: 1_479_311_816_000_000))
        #expect(values.5 == 7)
        #expect(values.6 == "UTC")
    }

    @Test func `every bad field is named at once, in order`() throws {
        var fields = try fields(#"{"a":1,"b":null,"d":"","e":"x\u0000y","f":"3"}"#)
        _ = fields.string("a")
        _ = fields.string("b")
        _ = fields.string("c")
        _ = fields.string("d", 1...5)
        _ = fields.string("e")
        _ = fields.integer("f")
        do throws(Problem) {
            try fields.finish()
            Issue.record("no fault")
        } catch {
            #expect(error.errors.map(\.field) == ["a", "b", "c", "d", "e", "f"])
            #expect(error.errors.allSatisfy { $0.messages.count == 1 })
        }
    }

    @Test func `readers among the arguments of finish are heard`() throws {
        var fields = try fields(#"{"a":1,"b":null,"d":"x"}"#)
        do throws(Problem) {
            _ = try fields.finish(fields.string("a"), fields.bool("b"), fields.integer("c"), fields.string("d"))
            Issue.record("no fault")
        } catch {
            #expect(error.errors.map(\.field) == ["a", "b", "c"])
        }
        var one = try self.fields(#"{"a":1}"#)
        do throws(Problem) {
            _ = try one.finish(one.string("a"))
            Issue.record("no fault")
        } catch {
            #expect(error.errors.map(\.field) == ["a"])
        }
    }

    @Test(arguments: ["2.5", "\"3\"", "true", "null", "[]", "{}", "1e400", "9223372036854775808", "-1", "81", "1e19"])
    func `what is no whole number in range is a fault under its field`(value: String) throws {
        #expect(try faults("{\"n\":\(value)}") { _ = $0.integer("n", 0...80) }.keys.sorted() == ["n"])
    }

    @Test func `length counts scalars`() throws {
        // One character, seven scalars.
        let family = "👨‍👩‍👧‍👦"
        #expect(try faults("{\"t\":\"\(family)\"}") { _ = $0.string("t", 1...7) }.isEmpty)
        #expect(try faults("{\"t\":\"\(family)\"}") { _ = $0.string("t", 1...6) }.count == 1)
        #expect(try faults("{\"t\":\"   \"}") { _ = $0.string("t", 1...6, trimmed: true) }.count == 1)
        #expect(try faults("{\"t\":\"e\u{301}\"}") { _ = $0.string("t", 3...6) }.count == 1)
    }

    @Test func `a change is not mentioned, null or new`() throws {
        var fields = try fields(#"{"b":null,"c":"x","d":null,"e":5}"#)
        #expect(fields.changedString("a", nullable: true) == .unchanged)
        #expect(fields.changedString("b", nullable: true) == .cleared)
        #expect(fields.changedString("c", nullable: true) == .set("x"))
        #expect(throws: Never.self) { try fields.finish() }
        #expect(fields.changedString("d") == .unchanged)
        #expect(fields.changedBool("e") == .unchanged)
        #expect(throws: Problem.self) { try fields.finish() }
    }

    @Test func `a rule of one's own says what is wrong`() throws {
        let found = try faults(#"{"a":"x","b":"x","c":"x"}"#) { fields in
            _ = fields.parsed("a", "Not this.") { _ in nil as Int? }
            _ = fields.parsed("b") { _ -> Int? in throw FieldError("Never.") }
            fields.note("c", "One.")
            fields.note("c", "Two.")
        }
        #expect(found == ["a": ["Not this."], "b": ["Never."], "c": ["One.", "Two."]])
    }

    @Test(arguments: [
        ("https://example.com", true), ("HTTP://example.com:8080/a%20b", true), ("http://[::1]:80/", true),
        ("http://a", true),
        ("https://münchen.de", false), ("ftp://a.b", false), ("https://", false), ("https:///x", false),
        ("https://a b", false),
        ("https://user@a.b", false), ("https://a.b:99999", false), ("https://a..b", false), ("https://-a.b", false),
        ("javascript:alert(1)", false), ("https://a.b\\c", false), ("https://a.b/\"", false), ("//a.b", false),
        ("", false),
        ("https://a.b:x", false), ("https://[::1", false), ("https://?q", false), ("https://a.b\n", false),
        ("http://:80", false),
    ])
    func `a URL is http or https with a host`(url: String, isGood: Bool) throws {
        let value = url.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        #expect(try faults("{\"u\":\"\(value)\"}") { _ = $0.url("u") }.isEmpty == isGood)
    }
}
