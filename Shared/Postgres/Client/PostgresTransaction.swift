/// A transaction under way. It has its connection to itself from its first statement on, and ends with the closure that
/// was given it; used later it throws code `closed`.
public struct PostgresTransaction: Sendable {
    let client: PostgresClient
    let lease: Lease

    /// Runs one statement inside the transaction. The first one takes BEGIN along.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> PostgresRows {
        try await client.submit(Request(sql)) { .statement(lease, $0) }
    }
}

extension PostgresClient {
    /// Runs `body` in a transaction and commits when it returns, rolls back when it throws.
    ///
    /// It runs again, bounded, when the server says so (SQLSTATE 40001, 40P01): `body` must have no other effects.
    /// - Throws: what `body` throws; `transactionAborted` when the server answered ROLLBACK to COMMIT because a failure
    ///   inside had been swallowed; `connectionLost` when the connection went before COMMIT was sent, so that nothing
    ///   took effect; `outcomeUnknown` when it went after.
    @discardableResult
    public func withTransaction<Result: Sendable>(
        isolation: Isolation = .readCommitted,
        _ body: @Sendable (PostgresTransaction) async throws -> Result
    ) async throws -> Result {
        var attempt = 1
        while true {
            let lease = Lease(.transaction(begin: SQL(unsafeRaw: "BEGIN ISOLATION LEVEL \(isolation.rawValue)")))
            do {
                let result = try await body(PostgresTransaction(client: self, lease: lease))
                if Task.isCancelled { throw PostgresError(.cancelled, "cancelled before COMMIT") }
                try await commit(lease)
                return result
            } catch {
                await roll(back: lease)
                guard attempt < configuration.transactionAttempts, error.isWorthAnotherTry, !Task.isCancelled else {
                    throw error
                }
                // Apart from those it collided with.
                try? await Task.sleep(for: .milliseconds(Int.random(in: 0...min(5 << attempt, 200))))
                attempt += 1
            }
        }
    }

    private func commit(_ lease: Lease) async throws {
        let rows = try await submit(Request("COMMIT"), isCancellable: false) { .finish(lease, .commit, $0) }
        // The server answers COMMIT of a failed transaction with ROLLBACK, and calls that success.
        if rows.result.tag == "ROLLBACK" {
            var error = PostgresError(.transactionAborted, "the server rolled back", cause: lease.failure)
            error.sqlState = lease.failure?.sqlState
            throw error
        }
    }

    private func roll(back lease: Lease) async {
        _ = try? await submit(Request("ROLLBACK"), isCancellable: false) { .finish(lease, .rollback, $0) }
    }
}

extension Error {
    fileprivate var isWorthAnotherTry: Bool { (self as? PostgresError)?.isWorthAnotherTry ?? false }
}
