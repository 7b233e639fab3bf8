#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A value of which arrays can be bound and read: one dimension, no NULL inside. `[UInt8]` is `bytea`.
public protocol PostgresArrayElement: Sendable {
    /// The type of the array.
    static var postgresArrayType: PostgresType { get }
    /// Appends all elements.
    static func encode(_ array: [Self], into parameters: inout PostgresParameters)
    /// Reads all elements.
    static func decodeArray(from cell: PostgresCell) throws -> [Self]
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    public static var postgresType: PostgresType { Element.postgresArrayType }

    public func encode(into parameters: inout PostgresParameters) {
        Element.encode(self, into: &parameters)
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    public init(from cell: PostgresCell) throws {
        self = try Element.decodeArray(from: cell)
    }
}

/// The binary form of an array (`array_send`): dimensions, has-NULLs, element type, then for each dimension its size
/// and lower bound, then each element with its length before it.
private func encodeArray<Element: PostgresEncodable>(
    _ array: [Element], of type: UInt32, into parameters: inout PostgresParameters
) {
    parameters.write(Int32(array.isEmpty ? 0 : 1))
    parameters.write(Int32(0))
    parameters.write(type)
    guard !array.isEmpty else { return }
    parameters.write(Int32(clamping: array.count))
    parameters.write(Int32(1))
    for element in array {
        let start = parameters.beginLength()
        element.encode(into: &parameters)
        parameters.endLength(start)
    }
}

private func decodeElements<Element: PostgresDecodable>(_ cell: PostgresCell) throws -> [Element] {
    let bytes = try cell.value()
    var position = 0
    func word() throws -> Int32 {
        guard bytes.count - position >= 4 else { throw cell.mismatch([Element].self) }
        defer { position += 4 }
        return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int32.self))
    }
    let dimensions = try word()
    _ = try word()
    let type = UInt32(bitPattern: try word())
    if dimensions == 0 { return [] }
    guard dimensions == 1 else { throw cell.mismatch([Element].self) }
    let count = try word()
    _ = try word()
    // Each element takes at least its length's four bytes.
    guard count >= 0, Int(count) <= (bytes.count - position) / 4 else { throw cell.mismatch([Element].self) }
    var array: [Element] = []
    array.reserveCapacity(Int(count))
    for _ in 0..<count {
        let length = Int(try word())
        guard length >= 0, length <= bytes.count - position else { throw cell.mismatch([Element].self) }
        let element = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + length)])
        array.append(try Element(from: PostgresCell(type: type, bytes: element)))
        position += length
    }
    return array
}

extension UInt8: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.bytea) }

    public static func encode(_ array: [UInt8], into parameters: inout PostgresParameters) {
        parameters.write(array)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [UInt8] {
        guard cell.type == OID.bytea else { throw cell.mismatch([UInt8].self) }
        return Array(try cell.value())
    }
}

extension String: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.textArray) }

    public static func encode(_ array: [String], into parameters: inout PostgresParameters) {
        // The server refuses a NUL in text itself; told here already, like that of a single text.
        if array.contains(where: { $0.utf8.contains(0) }) { parameters.refuse("text with a NUL in it") }
        encodeArray(array, of: OID.text, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [String] { try decodeElements(cell) }
}

extension Int: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.int8Array) }

    public static func encode(_ array: [Int], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.int8, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Int] { try decodeElements(cell) }
}

extension Int64: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.int8Array) }

    public static func encode(_ array: [Int64], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.int8, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Int64] { try decodeElements(cell) }
}

extension Int32: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.int4Array) }

    public static func encode(_ array: [Int32], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.int4, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Int32] { try decodeElements(cell) }
}

extension Int16: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.int2Array) }

    public static func encode(_ array: [Int16], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.int2, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Int16] { try decodeElements(cell) }
}

extension Bool: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.boolArray) }

    public static func encode(_ array: [Bool], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.bool, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Bool] { try decodeElements(cell) }
}

extension Double: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.float8Array) }

    public static func encode(_ array: [Double], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.float8, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Double] { try decodeElements(cell) }
}

extension UUID: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.uuidArray) }

    public static func encode(_ array: [UUID], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.uuid, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [UUID] { try decodeElements(cell) }
}

extension Timestamp: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .binary(OID.timestamptzArray) }

    public static func encode(_ array: [Timestamp], into parameters: inout PostgresParameters) {
        encodeArray(array, of: OID.timestamptz, into: &parameters)
    }

    public static func decodeArray(from cell: PostgresCell) throws -> [Timestamp] { try decodeElements(cell) }
}
