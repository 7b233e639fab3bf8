import NIOCore
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Why something is not an event: the attribute that is missing or not what it must be.
public struct EnvelopeFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// The name of the attribute, or `envelope` when it is no JSON object at all.
    public let attribute: String

    /// More arrays and objects inside one another than are read.
    static let tooDeep = EnvelopeFault(attribute: "depth")

    /// Holds nothing of the event and may be logged.
    public var description: String { "not an event: \(attribute)" }
}

/// The envelope: CloudEvents 1.0, "JSON Event Format". Members that are not known are ignored, so that a later release
/// may add some; those that are known must be what they should be.
extension Event {
    /// Reads an envelope.
    ///
    /// - Throws: ``EnvelopeFault``.
    public init(decoding envelope: ByteBuffer) throws(EnvelopeFault) {
        let value: JSONValue
        do throws(JSONParseError) { value = try JSONParser.value(envelope) } catch {
            throw EnvelopeFault(attribute: "envelope")
        }
        try self.init(value)
    }

    /// Reads an envelope that has been parsed.
    ///
    /// - Throws: ``EnvelopeFault``.
    public init(_ envelope: JSONValue) throws(EnvelopeFault) {
        guard case .object(let members) = envelope else { throw EnvelopeFault(attribute: "envelope") }
        func text(_ name: String) throws(EnvelopeFault) -> String {
            guard case .string(let text)? = members[name], !text.isEmpty else { throw EnvelopeFault(attribute: name) }
            return text
        }
        guard try text("specversion") == "1.0" else { throw EnvelopeFault(attribute: "specversion") }
        guard let id = UUID(uuidString: try text("id")) else { throw EnvelopeFault(attribute: "id") }
        guard let time = Timestamp(rfc3339: try text("time")) else { throw EnvelopeFault(attribute: "time") }
        guard try text("datacontenttype") == "application/json" else {
            throw EnvelopeFault(attribute: "datacontenttype")
        }
        guard case .integer(let position)? = members["position"], position > 0 else {
            throw EnvelopeFault(attribute: "position")
        }
        guard case .object(let data)? = members["data"] else { throw EnvelopeFault(attribute: "data") }
        guard case .array(let list)? = members["recipients"] else { throw EnvelopeFault(attribute: "recipients") }
        var recipients: [UUID] = []
        for element in list {
            guard case .string(let text) = element, let id = UUID(uuidString: text) else {
                throw EnvelopeFault(attribute: "recipients")
            }
            recipients.append(id)
        }
        let traceparent: String?
        switch members["traceparent"] {
        case nil, .null: traceparent = nil
        case .string(let text): traceparent = text
        default: throw EnvelopeFault(attribute: "traceparent")
        }
        self.init(
            position: position, id: id, source: try text("source"), type: try text("type"),
            subject: try text("subject"), recipients: recipients, time: time, data: data, traceparent: traceparent)
    }

    /// The envelope.
    public var envelope: ByteBuffer {
        var json = JSONWriter(capacity: 512)
        write(into: &json)
        return json.buffer
    }

    /// Writes the envelope as an element or as the whole document.
    public func write(into json: inout JSONWriter) {
        Attributes(
            position: position, id: id, source: source, type: type, subject: subject, recipients: recipients,
            time: time, traceparent: traceparent
        ).write(into: &json) { $0.field("data", .object(data)) }
    }

    /// All of an envelope but the data.
    struct Attributes: Sendable {
        var position: Int64
        var id: UUID
        var source: String
        var type: String
        var subject: String
        var recipients: [UUID]
        var time: Timestamp
        var traceparent: String?

        func write(into json: inout JSONWriter, data: (inout JSONWriter) -> Void) {
            json.object { json in
                json.field("specversion", "1.0")
                json.field("id", id)
                json.field("source", source)
                json.field("type", type)
                json.field("subject", subject)
                json.field("time", time)
                json.field("datacontenttype", "application/json")
                data(&json)
                json.field("position", position)
                json.array("recipients") { json in
                    for id in recipients { json.element(id) }
                }
                // An attribute without a value is left out (CloudEvents, "Type System").
                if let traceparent { json.field("traceparent", traceparent) }
            }
        }
    }
}
