import Postgres
import Synchronization

/// Whether Postgres answers and has the schema that this release needs.
final class SchemaProbe: Sendable {
    private let postgres: PostgresClient
    /// Migrations only go forward: once right, always right.
    private let isRight = Atomic(false)

    init(postgres: PostgresClient) {
        self.postgres = postgres
    }

    func isWell() async -> Bool {
        do {
            if isRight.load(ordering: .relaxed) {
                _ = try await postgres.read("SELECT 1")
            } else {
                try await AccountsSchema.migrator.check(postgres)
                isRight.store(true, ordering: .relaxed)
            }
            return true
        } catch {
            return false
        }
    }
}
