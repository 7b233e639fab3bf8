import Foundation
import NIOCore
import Postgres
import ServiceKit
import Testing

@testable import Events

@Suite struct EnvelopeTests {
    static let event = Event(
        position: 7, id: UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xAB)), source: "accounts",
        type: "user.updated", subject: "5", recipients: [UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))],
        time: Timestamp(microseconds: 1_700_000_000_000_001),
        data: [
            "id": .integer(5), "name": .string("a \"b\""), "none": .null, "list": .array([.bool(true), .number(2.5)]),
        ],
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    static let text = """
        {"specversion":"1.0","id":"01020304-0506-0708-090a-0b0c0d0e0fab","source":"accounts","type":"user.updated",\
        "subject":"5","time":"2023-11-14T22:13:20.000001Z","datacontenttype":"application/json",\
        "data":{"id":5,"list":[true,2.5],"name":"a \\"b\\"","none":null},"position":7,\
        "recipients":["00000000-0000-0000-0000-000000000001"],\
        "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        """

    @Test func `an envelope is what the readers were promised`() {
        #expect(String(buffer: Self.event.envelope) == Self.text)
    }

    @Test func `what was written is read back`() throws {
        #expect(try Event(decoding: Self.event.envelope) == Self.event)
        var plain = Self.event
        plain.traceparent = nil
        plain.recipients = []
        plain.data = ["large": .number(.infinity), "small": .number(-1e-300), "deep": .object(["a": .object([:])])]
        #expect(!String(buffer: plain.envelope).contains("traceparent"))
        #expect(try Event(decoding: plain.envelope) == plain)
    }

    @Test func `members that are not known are ignored`() throws {
        let text = Self.text.dropLast() + #","dataschema":"x","later":{"a":[1]}}"#
        #expect(try Event(decoding: ByteBuffer(string: String(text))) == Self.event)
    }

    @Test(arguments: [
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "position", "recipients",
    ])
    func `an attribute that is missing or mistyped is a fault`(_ name: String) throws {
        guard case .object(var members) = try JSONParser.value(ByteBuffer(string: Self.text)) else {
            throw EnvelopeFault(attribute: "envelope")
        }
        let bad: [JSONValue?] = [
            nil, .null, .bool(true), .string(""), .string("x\u{1}"), .number(1.5), .integer(0), .array([.integer(1)]),
        ]
        let free: Set<String> = ["source", "type", "subject"]
        for value in bad {
            if case .string(let text)? = value, !text.isEmpty, free.contains(name) { continue }
            members[name] = value
            let fault = #expect(throws: EnvelopeFault.self) { try Event(.object(members)) }
            #expect(fault?.attribute == name, "\(String(describing: value))")
        }
    }

    @Test func `a trace context that is no text is a fault, one that is null is none`() throws {
        guard case .object(var members) = try JSONParser.value(ByteBuffer(string: Self.text)) else { return }
        members["traceparent"] = .null
        #expect(try Event(.object(members)).traceparent == nil)
        members["traceparent"] = .integer(1)
        #expect(throws: EnvelopeFault.self) { try Event(.object(members)) }
    }

    @Test(arguments: ["", "[]", "nonsense", "{}", "{\"specversion\":\"2.0\"}", "\u{FEFF}{}"])
    func `what is no envelope is a fault`(_ text: String) {
        #expect(throws: EnvelopeFault.self) { try Event(decoding: ByteBuffer(string: text)) }
    }

    @Test func `a page keeps what it can read, and the places of what it can't`() throws {
        let page = try EventPage(
            decoding: ByteBuffer(
                string: """
                    {"head":9,"oldest":2,"pruned":false,"last":"01020304-0506-0708-090a-0b0c0d0e0fab","more":1,
                     "events":[\(Self.text),{"specversion":"1.0"},\(Self.text)]}
                    """), after: 6)
        #expect(page.head == 9 && page.oldest == 2 && !page.isPruned && page.last == Self.event.id)
        #expect(page.events == [Self.event])
        #expect(page.entries.map(\.position) == [7, 8, 9])
        // The third says that it is the seventh.
        guard case .unreadable(9, _, let fault) = page.entries[2] else { throw EnvelopeFault(attribute: "page") }
        #expect(fault.attribute == "position")
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"head":1,"oldest":1,"pruned":false}"#, #"{"head":1,"oldest":1,"pruned":1,"events":[]}"#,
        #"{"head":1,"oldest":0,"pruned":false,"events":[]}"#, #"{"head":1,"oldest":3,"pruned":false,"events":[]}"#,
    ])
    func `what is no page is a fault`(_ text: String) {
        #expect(throws: EnvelopeFault.self) { try EventPage(decoding: ByteBuffer(string: text), after: 0) }
    }
}
