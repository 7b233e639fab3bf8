import Events
import Idempotency
import Postgres

/// Where calls keeps everything; no other service reads it.
public enum CallsSchema {
    /// The name of the schema.
    public static let name = "calls"

    /// All migrations, in order.
    public static let migrator = Migrator(
        schema: name,
        migrations: [
            Migration(number: 1, name: "calls", sql: PackageResources._001_calls_sql),
            Migration(number: 2, name: "events", sql: EventTables.sql(schema: name)),
            Migration(number: 3, name: "idempotency", sql: IdempotencyTables.sql(schema: name)),
        ])
}
