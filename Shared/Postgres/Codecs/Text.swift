extension String: PostgresEncodable, PostgresDecodable {
    /// As text whose type the server infers, so jsonb, citext, enums and dates take it too.
    public static var postgresType: PostgresType { .inferred }

    public func encode(into parameters: inout PostgresParameters) {
        parameters.write(utf8)
    }

    public init(from cell: PostgresCell) throws {
        guard OID.isText(cell.type) else { throw cell.mismatch(String.self) }
        var bytes = try cell.value()
        // jsonb is sent with a version byte before its text (jsonb_send).
        if cell.type == OID.jsonb { bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst()) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw cell.mismatch(String.self) }
        self = text
    }
}

/// JSON text in a `jsonb` parameter or column. The server parses it; what it refuses has SQLSTATE 22P02.
public struct JSONB: Sendable, Hashable {
    /// The document as text; as the server normalised it when it was read from a column.
    public let text: String

    /// - Parameter text: one JSON document.
    public init(_ text: String) {
        self.text = text
    }
}

extension JSONB: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { PostgresType(oid: OID.jsonb, isBinary: false) }

    public func encode(into parameters: inout PostgresParameters) {
        parameters.write(text.utf8)
    }

    public init(from cell: PostgresCell) throws {
        guard cell.type == OID.jsonb || cell.type == OID.json else { throw cell.mismatch(JSONB.self) }
        self.init(try String(from: cell))
    }
}
