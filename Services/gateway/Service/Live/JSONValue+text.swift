import NIOCore
import ServiceKit

extension JSONValue {
    /// Writes it as JSON text. The members of an object come in the order of their names.
    func write(into text: inout ByteBuffer) {
        switch self {
        case .null: text.writeStaticString("null")
        case .bool(let value): text.writeStaticString(value ? "true" : "false")
        case .integer(let value): text.writeString(String(value))
        // JSON has no infinity.
        case .number(let value): text.writeString(value.isFinite ? value.description : "null")
        case .string(let value): Self.write(value, into: &text)
        case .array(let values):
            text.writeStaticString("[")
            for (index, value) in values.enumerated() {
                if index > 0 { text.writeStaticString(",") }
                value.write(into: &text)
            }
            text.writeStaticString("]")
        case .object(let members):
            text.writeStaticString("{")
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text.writeStaticString(",") }
                Self.write(member.key, into: &text)
                text.writeStaticString(":")
                member.value.write(into: &text)
            }
            text.writeStaticString("}")
        }
    }

    private static func write(_ string: String, into text: inout ByteBuffer) {
        var json = JSONWriter(capacity: string.utf8.count + 2)
        json.element(string)
        text.writeImmutableBuffer(json.buffer)
    }
}
