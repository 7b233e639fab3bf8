import Postgres
import Synchronization

/// Whether Postgres answers and has the schema that this release needs.
public final class SchemaProbe: Sendable {
    private let migrator: Migrator
    private let postgres: PostgresClient
    /// Migrations only go forward: once right, always right.
    private let isRight = Atomic(false)

    /// - Parameter migrator: of the service's schema.
    public init(_ migrator: Migrator, postgres: PostgresClient) {
        self.migrator = migrator
        self.postgres = postgres
    }

    /// The check of a service that can't work without Postgres.
    public var check: Health.Check {
        Health.Check("postgres") { await self.isWell() }
    }

    func isWell() async -> Bool {
        do {
            if isRight.load(ordering: .relaxed) {
                _ = try await postgres.read("SELECT 1")
            } else {
                try await migrator.check(postgres)
                isRight.store(true, ordering: .relaxed)
            }
            return true
        } catch {
            return false
        }
    }
}
