/// The type of a parameter as the server knows it, and how it travels.
public struct PostgresType: Sendable, Hashable {
    /// The object id in `pg_type`; 0 leaves it to the server to infer.
    public let oid: UInt32
    /// Binary format; text otherwise.
    public let isBinary: Bool

    /// A type in binary format.
    public static func binary(_ oid: UInt32) -> PostgresType { PostgresType(oid: oid, isBinary: true) }
    /// Text whose type the server infers: jsonb, citext, enums and dates work as text does.
    public static let inferred = PostgresType(oid: 0, isBinary: false)
}

/// Object ids of built-in types (PostgreSQL, `pg_type.dat`); they never change.
enum OID {
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let oid: UInt32 = 26
    static let json: UInt32 = 114
    static let float4: UInt32 = 700
    static let float8: UInt32 = 701
    static let timestamp: UInt32 = 1114
    static let timestamptz: UInt32 = 1184
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802

    static let boolArray: UInt32 = 1000
    static let byteaArray: UInt32 = 1001
    static let int2Array: UInt32 = 1005
    static let int4Array: UInt32 = 1007
    static let textArray: UInt32 = 1009
    static let int8Array: UInt32 = 1016
    static let float8Array: UInt32 = 1022
    static let timestamptzArray: UInt32 = 1185
    static let uuidArray: UInt32 = 2951

    /// Built-in types whose binary form is not text, so that reading one as a String would give rubbish: the scalars
    /// above, xid, cid, tid, money, date, time, interval, timetz, bit, varbit, numeric, inet, macaddr, ranges, arrays.
    static func isText(_ oid: UInt32) -> Bool {
        switch oid {
        case 25, 18, 19, 114, 142, 705, 1042, 1043, 2275, 3802: true
        // Types made by extensions and CREATE TYPE: citext and enums are text in binary form too; what is not UTF-8 is refused.
        case 16384...: true
        default: false
        }
    }
}
