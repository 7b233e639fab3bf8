import Events
import Idempotency
import Postgres

/// Where heroes keeps everything; no other service reads it.
public enum HeroesSchema {
    /// The name of the schema.
    public static let name = "heroes"

    /// All migrations, in order.
    public static let migrator = Migrator(
        schema: name,
        migrations: [
            Migration(number: 1, name: "heroes", sql: PackageResources._001_heroes_sql),
            Migration(number: 2, name: "directory", sql: PackageResources._002_directory_sql),
            Migration(number: 3, name: "events", sql: EventTables.sql(schema: name)),
            Migration(number: 4, name: "idempotency", sql: IdempotencyTables.sql(schema: name)),
        ])
}
