extension Bool: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.bool) }

    public func encode(into parameters: inout PostgresParameters) {
        parameters.write(self ? 1 as UInt8 : 0)
    }

    public init(from cell: PostgresCell) throws {
        guard cell.type == OID.bool else { throw cell.mismatch(Bool.self) }
        self = try cell.integer(as: UInt8.self) != 0
    }
}

/// Reads int2, int4 and int8 alike and refuses what does not fit.
private func wholeNumber<Integer: FixedWidthInteger>(_ cell: PostgresCell) throws -> Integer {
    let number: Int64
    switch cell.type {
    case OID.int8: number = try cell.integer()
    case OID.int4: number = Int64(try cell.integer(as: Int32.self))
    case OID.int2: number = Int64(try cell.integer(as: Int16.self))
    case OID.oid: number = Int64(try cell.integer(as: UInt32.self))
    default: throw cell.mismatch(Integer.self)
    }
    guard let fitting = Integer(exactly: number) else { throw cell.mismatch(Integer.self) }
    return fitting
}

extension Int: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.int8) }
    public func encode(into parameters: inout PostgresParameters) { parameters.write(Int64(self)) }
    public init(from cell: PostgresCell) throws { self = try wholeNumber(cell) }
}

extension Int64: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.int8) }
    public func encode(into parameters: inout PostgresParameters) { parameters.write(self) }
    public init(from cell: PostgresCell) throws { self = try wholeNumber(cell) }
}

extension Int32: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.int4) }
    public func encode(into parameters: inout PostgresParameters) { parameters.write(self) }
    public init(from cell: PostgresCell) throws { self = try wholeNumber(cell) }
}

extension Int16: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.int2) }
    public func encode(into parameters: inout PostgresParameters) { parameters.write(self) }
    public init(from cell: PostgresCell) throws { self = try wholeNumber(cell) }
}

extension Double: PostgresEncodable, PostgresDecodable {
    public static var postgresType: PostgresType { .binary(OID.float8) }
    public func encode(into parameters: inout PostgresParameters) { parameters.write(bitPattern) }

    public init(from cell: PostgresCell) throws {
        switch cell.type {
        case OID.float8: self = Double(bitPattern: try cell.integer())
        case OID.float4: self = Double(Float(bitPattern: try cell.integer()))
        default: throw cell.mismatch(Double.self)
        }
    }
}
