import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension RequestRows {
    /// A request whose row nobody else changes until the transaction ends.
    ///
    /// In two statements: one that has waited for the lock sees the row as it is by then, but everything it joins as it
    /// was before (PostgreSQL, "Transaction Isolation", 13.2.1).
    static func locked(_ id: Int64, in transaction: PostgresTransaction) async throws -> StoredRequest? {
        let found = try await transaction.execute(
            "SELECT 1 FROM calls.requests WHERE id = \(id) FOR NO KEY UPDATE")
        guard !found.isEmpty else { return nil }
        return try decode(try await transaction.execute(select(id))).first
    }
}
