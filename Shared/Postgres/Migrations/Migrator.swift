import Logging

/// Brings a schema up to date, forward only. What has been run, with checksums, is in `<schema>.schema_migrations`.
///
/// Any number of processes may run it at once: an advisory lock lets one work, the others find it done. Each migration
/// commits by itself, so that a failure leaves those before it in place.
public struct Migrator: Sendable {
    let schema: String
    let migrations: [Migration]

    /// - Parameters:
    ///   - schema: the service's schema; made if it is missing.
    ///   - migrations: all of them, in order.
    public init(schema: String, migrations: [Migration]) {
        self.schema = schema
        self.migrations = migrations
    }

    /// Runs what has not been run yet.
    /// - Throws: ``MigrationError``; ``PostgresError`` of the statement that failed.
    public func migrate(_ client: PostgresClient, logger: Logger) async throws {
        try checkNumbers()
        let name = SQL.quotedIdentifier(schema)
        try await client.withConnection { connection in
            // Whoever waits for the lock, and a migration itself, may take as long as it takes.
            try await connection.setStatementTimeout(nil)
            try await connection.execute("SELECT pg_advisory_lock(hashtextextended('migrate ' || \(schema), 0))")
            // The lock goes with the session.
            if try await !hasSchema(connection) {
                try await connection.executeScript(unsafeRaw: "CREATE SCHEMA IF NOT EXISTS \(name)")
            }
            try await connection.execute(
                """
                CREATE TABLE IF NOT EXISTS \(unsafeRaw: name).schema_migrations (
                    number bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
                    applied timestamptz NOT NULL DEFAULT now())
                """)
            let applied = try await applied { try await connection.execute($0) }
            try checkChecksums(applied)
            for migration in migrations where migration.number > (applied.last?.number ?? 0) {
                try await run(migration, connection)
                logger.info(
                    "Migrated", metadata: ["schema": "\(schema)", "migration": "\(migration.number) \(migration.name)"])
            }
        }
    }

    /// Sees whether the schema is what this release needs; a newer one is welcome.
    /// - Throws: ``MigrationError``.
    public func check(_ client: PostgresClient) async throws {
        try checkNumbers()
        let exists = try await client.read(
            "SELECT to_regclass(\("\(SQL.quotedIdentifier(schema)).schema_migrations")) IS NOT NULL")
        guard try exists.first?.decode(Bool.self) == true else {
            return try checkVersion(0)
        }
        let applied = try await applied { try await client.read($0) }
        try checkChecksums(applied)
        try checkVersion(applied.last?.number ?? 0)
    }

    private func hasSchema(_ connection: PostgresConnection) async throws -> Bool {
        // CREATE SCHEMA asks for a right on the database even when there is nothing to do.
        try await !connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = \(schema)").isEmpty
    }

    private func run(_ migration: Migration, _ connection: PostgresConnection) async throws {
        try await connection.execute("BEGIN")
        do {
            try await connection.executeScript(unsafeRaw: migration.sql)
            try await connection.execute(
                """
                INSERT INTO \(unsafeRaw: SQL.quotedIdentifier(schema)).schema_migrations (number, name, checksum)
                VALUES (\(migration.number), \(migration.name), \(migration.checksum))
                """)
            try await connection.execute("COMMIT")
        } catch {
            _ = try? await connection.execute("ROLLBACK")
            throw error
        }
    }

    private func applied(
        _ run: (SQL) async throws -> PostgresRows
    ) async throws -> [(number: Int, checksum: String)] {
        let table = SQL(unsafeRaw: "\(SQL.quotedIdentifier(schema)).schema_migrations")
        return try await run("SELECT number, checksum FROM \(table) ORDER BY number")
            .decode((Int, String).self).map { (number: $0.0, checksum: $0.1) }
    }

    private func checkNumbers() throws {
        for (index, migration) in migrations.enumerated() where migration.number != index + 1 {
            throw MigrationError.misnumbered(migration.number)
        }
    }

    private func checkChecksums(_ applied: [(number: Int, checksum: String)]) throws {
        for (migration, row) in zip(migrations, applied) {
            guard migration.number == row.number, migration.checksum == row.checksum else {
                throw MigrationError.changed(number: migration.number)
            }
        }
    }

    private func checkVersion(_ applied: Int) throws {
        if applied < migrations.count { throw MigrationError.behind(applied: applied, needed: migrations.count) }
    }
}

extension Migration {
    /// FNV-1a, 64 bits: it tells an edit from none, it need not withstand a forger. Ends of lines do not count.
    var checksum: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in sql.utf8 where byte != 13 {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        return String(hash, radix: 16)
    }
}
