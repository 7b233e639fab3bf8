/// The tables that publishing and consuming need, in the schema of the service that owns them.
public enum EventTables {
    /// The text of one migration. It never changes once released: a service's migrations are checksummed.
    ///
    /// - `outbox` holds what this service has published. `id` is in the order of arrival, which is not the order of
    ///   commits; `position` is, and is given by the ``Relay`` after the commit, without gaps.
    /// - `relay_head` is the last position given.
    /// - `inbox_cursor` has, for each source of events, the position through which they have taken effect here, and the
    ///   id of the event there, by which a source that was reset is told from one that was not.
    /// - `inbox_parked` keeps the events that could not be applied, with the reason.
    ///
    /// - Parameter schema: the name of a schema: `a-z`, `0-9` and `_`.
    public static func sql(schema: String) -> String {
        precondition(isIdentifier(schema), "not a schema's name")
        return """
            CREATE TABLE \(schema).outbox (
                id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                position    bigint UNIQUE,
                event_id    uuid NOT NULL DEFAULT gen_random_uuid(),
                type        text NOT NULL CHECK (type <> ''),
                subject     text NOT NULL CHECK (subject <> ''),
                recipients  uuid[] NOT NULL DEFAULT '{}',
                data        jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
                time        timestamptz NOT NULL DEFAULT now(),
                traceparent text
            ) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.2);
            CREATE INDEX outbox_waiting ON \(schema).outbox (id) WHERE position IS NULL;

            CREATE TABLE \(schema).relay_head (
                only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
                position bigint NOT NULL
            );
            INSERT INTO \(schema).relay_head (position) VALUES (0);

            CREATE TABLE \(schema).inbox_cursor (
                source   text PRIMARY KEY,
                position bigint NOT NULL,
                event_id uuid
            );

            CREATE TABLE \(schema).inbox_parked (
                source    text NOT NULL,
                position  bigint NOT NULL,
                event     json NOT NULL,
                reason    text NOT NULL,
                parked_at timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (source, position)
            );
            """
    }

    /// Whether a name can stand in SQL unquoted. Names are spliced, not bound, so this is checked wherever one comes in.
    static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.count <= 40
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
    }
}
