/// A value that can be read from a column.
public protocol PostgresDecodable: Sendable {
    /// - Throws: ``PostgresError`` with code `decoding` when the cell is NULL or of another type.
    init(from cell: PostgresCell) throws
}

/// One column of one row in binary format. It borrows the row's memory: keep nothing of it.
public struct PostgresCell {
    /// The type's object id in `pg_type`.
    public let type: UInt32
    /// The value, or nil for NULL.
    public let bytes: UnsafeRawBufferPointer?

    @usableFromInline init(type: UInt32, bytes: UnsafeRawBufferPointer?) {
        self.type = type
        self.bytes = bytes
    }

    /// The bytes of a value that must be there.
    public func value() throws -> UnsafeRawBufferPointer {
        guard let bytes else { throw PostgresError(.decoding, "NULL where a value is needed") }
        return bytes
    }

    func integer<Integer: FixedWidthInteger>(as: Integer.Type = Integer.self) throws -> Integer {
        let bytes = try value()
        guard bytes.count == MemoryLayout<Integer>.size else { throw mismatch(Integer.self) }
        return Integer(bigEndian: bytes.loadUnaligned(as: Integer.self))
    }

    /// The error to throw when the column is not what was asked for.
    public func mismatch(_ wanted: Any.Type) -> PostgresError {
        PostgresError(.decoding, "a column of type \(type) can't be read as \(wanted)")
    }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    public init(from cell: PostgresCell) throws {
        guard let value = try Self(rawValue: RawValue(from: cell)) else { throw cell.mismatch(Self.self) }
        self = value
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public init(from cell: PostgresCell) throws {
        self = cell.bytes == nil ? nil : try Wrapped(from: cell)
    }
}
