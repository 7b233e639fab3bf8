/// The values bound to a statement, encoded, one after the other in one buffer.
public struct PostgresParameters: Sendable {
    struct Entry: Sendable {
        let type: UInt32
        let isBinary: Bool
        let offset: Int
        /// Bytes, or -1 for NULL.
        let length: Int32
    }

    private(set) var entries: [Entry] = []
    private(set) var bytes: [UInt8] = []
    /// The first value that could not be encoded; thrown when the statement is sent.
    private(set) var fault: PostgresError?

    /// The protocol counts parameters in 16 bits (Bind, "Message Formats").
    static let most = 65_535

    mutating func reserveCapacity(_ count: Int) {
        entries.reserveCapacity(count)
        bytes.reserveCapacity(count * 16)
    }

    mutating func append<Value: PostgresEncodable>(_ value: Value?) {
        let type = Value.postgresType
        let start = bytes.count
        guard let value else {
            entries.append(Entry(type: type.oid, isBinary: type.isBinary, offset: start, length: -1))
            return
        }
        value.encode(into: &self)
        let length = Int32(clamping: bytes.count - start)
        if !type.isBinary {
            // libpq takes text as C strings: a NUL would cut the value short without a word.
            bytes.withUnsafeBufferPointer { buffer in
                if buffer[start...].contains(0) { fault = fault ?? PostgresError(.encoding, "text with a NUL in it") }
            }
            bytes.append(0)
        }
        entries.append(Entry(type: type.oid, isBinary: type.isBinary, offset: start, length: length))
        if entries.count > Self.most { refuse("more than \(Self.most) parameters") }
    }

    mutating func append(_ other: PostgresParameters) {
        let base = bytes.count
        bytes += other.bytes
        entries += other.entries.map {
            Entry(type: $0.type, isBinary: $0.isBinary, offset: $0.offset + base, length: $0.length)
        }
        adopt(faultOf: other)
        if entries.count > Self.most { refuse("more than \(Self.most) parameters") }
    }

    mutating func adopt(faultOf other: PostgresParameters) {
        fault = fault ?? other.fault
    }

    // MARK: For encoders

    /// Appends an integer in network byte order.
    public mutating func write<Integer: FixedWidthInteger>(_ integer: Integer) {
        withUnsafeBytes(of: integer.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends bytes as they are.
    public mutating func write(_ bytes: some Sequence<UInt8>) {
        self.bytes.append(contentsOf: bytes)
    }

    /// Says that the value can't be sent; the statement then fails with ``PostgresError/Code/encoding``.
    public mutating func refuse(_ reason: String) {
        fault = fault ?? PostgresError(.encoding, reason)
    }

    /// Leaves room for a length that ``endLength(_:)`` fills in.
    mutating func beginLength() -> Int {
        bytes.append(contentsOf: [0, 0, 0, 0])
        return bytes.count
    }

    mutating func endLength(_ start: Int) {
        let length = Int32(clamping: bytes.count - start)
        withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange((start - 4)..<start, with: $0) }
    }
}
