import Foundation
import Postgres
import ServiceKit

/// Rows as COPY takes them (PostgreSQL, "COPY", text format).
struct CopyRows: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    private var isFirst = true

    mutating func text(_ value: String?) {
        separate()
        guard let value else {
            bytes += "\\N".utf8
            return
        }
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\t"): bytes += "\\t".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case UInt8(ascii: "\r"): bytes += "\\r".utf8
            default: bytes.append(byte)
            }
        }
    }

    mutating func number(_ value: some FixedWidthInteger) { text(String(value)) }
    mutating func bool(_ value: Bool) { text(value ? "t" : "f") }
    mutating func id(_ value: UUID) { text(value.uuidString) }
    mutating func time(_ value: Timestamp?) { text(value?.rfc3339) }

    mutating func endRow() {
        bytes.append(UInt8(ascii: "\n"))
        isFirst = true
        count += 1
    }

    private mutating func separate() {
        if !isFirst { bytes.append(UInt8(ascii: "\t")) }
        isFirst = false
    }
}

extension PostgresConnection {
    /// Copies rows into a table.
    func copy(_ rows: CopyRows, into table: SQL) async throws {
        guard rows.count > 0 else { return }
        try await copy("COPY \(table) FROM STDIN") { writer in
            for start in stride(from: 0, to: rows.bytes.count, by: 64 * 1024) {
                try await writer.write(Array(rows.bytes[start..<min(start + 64 * 1024, rows.bytes.count)]))
            }
        }
    }
}

extension PostgresClient {
    /// Runs `body` in one transaction that may take its time.
    func atOnce(_ body: @Sendable (PostgresConnection) async throws -> Void) async throws {
        try await withConnection { connection in
            try await connection.setStatementTimeout(nil)
            try await connection.execute("BEGIN")
            try await body(connection)
            try await connection.execute("COMMIT")
        }
    }

    /// So many ids of a table's identity column, which nobody else gets.
    func ids(_ count: Int, of table: String) async throws -> [Int64] {
        let rows = try await execute(
            "SELECT nextval(pg_get_serial_sequence(\(table), 'id')) FROM generate_series(1, \(count))")
        return try rows.decode(Int64.self)
    }
}
