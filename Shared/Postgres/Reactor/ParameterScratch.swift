import CLibpq

/// The pointer arrays libpq wants for the parameters of a statement, kept from one to the next.
final class ParameterScratch {
    private var values: UnsafeMutablePointer<UnsafePointer<CChar>?>
    private var lengths: UnsafeMutablePointer<Int32>
    private var formats: UnsafeMutablePointer<Int32>
    private var capacity = 16
    /// What a value without bytes points to: not nil, which is NULL.
    private let empty: UnsafeMutablePointer<CChar>

    init() {
        values = .allocate(capacity: capacity)
        lengths = .allocate(capacity: capacity)
        formats = .allocate(capacity: capacity)
        empty = .allocate(capacity: 1)
        empty.initialize(to: 0)
    }

    deinit {
        free()
        empty.deallocate()
    }

    private func free() {
        values.deallocate()
        lengths.deallocate()
        formats.deallocate()
    }

    /// Sends a prepared statement with its parameters, answers in binary.
    func execute(_ sql: SQL, _ name: [CChar], on pg: OpaquePointer) -> Bool {
        let count = sql.values.entries.count
        if count > capacity {
            free()
            capacity = count
            values = .allocate(capacity: count)
            lengths = .allocate(capacity: count)
            formats = .allocate(capacity: count)
        }
        return sql.values.bytes.withUnsafeBufferPointer { bytes in
            for (index, entry) in sql.values.entries.enumerated() {
                lengths[index] = max(entry.length, 0)
                formats[index] = entry.isBinary ? 1 : 0
                if entry.length < 0 {
                    values[index] = nil
                } else if let base = bytes.baseAddress, entry.length > 0 {
                    values[index] = UnsafeRawPointer(base + entry.offset).assumingMemoryBound(to: CChar.self)
                } else {
                    values[index] = UnsafePointer(empty)
                }
            }
            // libpq has copied the values when it returns (PQsendQueryGuts writes them to its own buffer).
            return PQsendQueryPrepared(pg, name, Int32(count), values, lengths, formats, 1) == 1
        }
    }
}
