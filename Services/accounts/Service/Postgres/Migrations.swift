import Events
import Idempotency
import Postgres

/// Where accounts keeps everything; no other service reads it.
public enum AccountsSchema {
    /// The name of the schema.
    public static let name = "accounts"

    /// All migrations, in order.
    public static let migrator = Migrator(
        schema: name,
        migrations: [
            Migration(number: 1, name: "users", sql: PackageResources._001_users_sql),
            Migration(number: 2, name: "deliveries", sql: PackageResources._002_deliveries_sql),
            Migration(number: 3, name: "payments", sql: PackageResources._003_payments_sql),
            Migration(number: 4, name: "events", sql: EventTables.sql(schema: name)),
            Migration(number: 5, name: "parked_deliveries", sql: PackageResources._005_parked_deliveries_sql),
            Migration(number: 6, name: "idempotency", sql: IdempotencyTables.sql(schema: name)),
        ])
}
