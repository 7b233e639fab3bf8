import TestKit
import Testing

@testable import Postgres

@Suite struct MigratorTests {
    private let first = Migration(number: 1, name: "users", sql: "CREATE TABLE app.users (id bigint); CREATE TABLE app.log ()")
    private let second = Migration(number: 2, name: "names", sql: "ALTER TABLE app.users ADD COLUMN name text")

    private func migrator(_ migrations: Migration...) -> Migrator {
        Migrator(schema: "app", migrations: migrations)
    }

    @Test func `It runs what is new, once, and check is content then`() async throws {
        try await withClient { client in
            await #expect(throws: MigrationError.behind(applied: 0, needed: 1)) { try await migrator(first).check(client) }
            try await migrator(first).migrate(client, logger: quiet)
            try await migrator(first).check(client)
            await #expect(throws: MigrationError.behind(applied: 1, needed: 2)) {
                try await migrator(first, second).check(client)
            }
            try await migrator(first, second).migrate(client, logger: quiet)
            try await migrator(first, second).migrate(client, logger: quiet)
            try await migrator(first, second).check(client)
            // The release before still starts while the new one is rolled out.
            try await migrator(first).check(client)
            #expect(try await client.read("SELECT id, name FROM app.users").isEmpty)
        }
    }

    @Test func `A migration changed after it ran is refused`() async throws {
        try await withClient { client in
            try await migrator(first).migrate(client, logger: quiet)
            let edited = Migration(number: 1, name: "users", sql: first.sql + " -- edited")
            await #expect(throws: MigrationError.changed(number: 1)) { try await migrator(edited).check(client) }
            await #expect(throws: MigrationError.changed(number: 1)) {
                try await migrator(edited, second).migrate(client, logger: quiet)
            }
        }
    }

    @Test func `Numbers count up from one`() async throws {
        try await withClient { client in
            await #expect(throws: MigrationError.misnumbered(2)) { try await migrator(second).migrate(client, logger: quiet) }
        }
    }

    @Test func `One that fails leaves nothing of itself and all before it`() async throws {
        try await withClient { client in
            let broken = Migration(number: 2, name: "broken", sql: "CREATE TABLE app.half (); SELECT 1 / 0")
            await #expect(throws: PostgresError.self) { try await migrator(first, broken).migrate(client, logger: quiet) }
            try await migrator(first).check(client)
            #expect(try await client.value("SELECT to_regclass('app.half') IS NULL", as: Bool.self))
            try await migrator(first, second).migrate(client, logger: quiet)
        }
    }

    @Test func `Several at once: one works, the others find it done`() async throws {
        try await withClient { client in
            let slow = Migration(number: 2, name: "slow", sql: "SELECT pg_sleep(0.3); CREATE TABLE app.once ()")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await migrator(first, slow).migrate(client, logger: quiet) }
                }
                try await group.waitForAll()
            }
            try await client.expect("SELECT count(*) FROM app.schema_migrations", 2)
        }
    }
}
