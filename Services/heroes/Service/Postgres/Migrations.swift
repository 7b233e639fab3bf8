import Events
import Idempotency
import Postgres

/// Where heroes keeps everything; no other service reads it.
public enum HeroesSchema {
    /// The name of the schema.
    public static let name = "heroes"

    /// For statements of a few milliseconds that go along indexes: compiling them, or bringing in helpers, takes longer
    /// than they do. Words that many heroes have need some memory to be put together.
    /// A table is never read whole: where the planner believes that it would soon meet enough by reading on from the start,
    /// an index has it for sure. (A statement for which there is no index at all would be planned badly.)
    static let sessionSettings = [
        "enable_seqscan": "off", "jit": "off", "max_parallel_workers_per_gather": "0", "work_mem": "16MB",
    ]

    /// All migrations, in order.
    public static let migrator = Migrator(
        schema: name,
        migrations: [
            Migration(number: 1, name: "heroes", sql: PackageResources._001_heroes_sql),
            Migration(number: 2, name: "directory", sql: PackageResources._002_directory_sql),
            Migration(number: 3, name: "events", sql: EventTables.sql(schema: name)),
            Migration(number: 4, name: "idempotency", sql: IdempotencyTables.sql(schema: name)),
            Migration(number: 5, name: "rates_of_a_year", sql: PackageResources._005_rates_of_a_year_sql),
        ])
}
