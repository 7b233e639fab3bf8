/// The table that kept answers need, in the schema of the service that owns them.
public enum IdempotencyTables {
    /// The text of one migration. It never changes once released: a service's migrations are checksummed.
    ///
    /// A row is made by the transaction that takes a key (the unique index is what makes others wait for it) and gets its
    /// answer before that commits. A committed row without an answer is a key that was let go of.
    ///
    /// - Parameter schema: the name of a schema: `a-z`, `0-9` and `_`.
    public static func sql(schema: String) -> String {
        precondition(isIdentifier(schema), "not a schema's name")
        return """
            CREATE TABLE \(schema).idempotency_keys (
                -- HMAC of the caller and the key that was sent: neither can be found again.
                key     bytea PRIMARY KEY,
                -- HMAC of method, path and body, to tell the same request from another one.
                request bytea NOT NULL,
                -- The answer, sealed for this key and this request.
                answer  bytea,
                created timestamptz NOT NULL
            ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
            CREATE INDEX idempotency_keys_created ON \(schema).idempotency_keys (created);
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
