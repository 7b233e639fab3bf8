#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

extension UUID: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.uuid) }

    public func encode(into parameters: inout PostgresParameters) {
        withUnsafeBytes(of: uuid) { parameters.write($0) }
    }

    public init(from cell: PostgresCell) throws {
        let bytes = try cell.value()
        guard cell.type == OID.uuid, bytes.count == 16 else { throw cell.mismatch(UUID.self) }
        self.init(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}
