import Postgres

/// Where a service writes what it publishes, in the transaction of the change itself. There is no other way to publish.
///
/// A writer of an event holds the row lock of what changed (its subject) when it inserts: that is what keeps events of
/// one subject in order.
public struct Outbox: Sendable {
    /// The service whose events these are; they go out on `techheroes.<service>`.
    public let service: String
    /// The schema with the tables of ``EventTables``.
    public let schema: String
    let doorbell = Doorbell()

    /// One for each process of a service, shared by its stores and its ``Relay``.
    ///
    /// - Parameters:
    ///   - service: the name of the service: `a-z`, `0-9` and `_`.
    ///   - schema: the schema with its tables; the same name when nil.
    public init(service: String, schema: String? = nil) {
        precondition(EventTables.isIdentifier(service), "not a service's name")
        precondition(EventTables.isIdentifier(schema ?? service), "not a schema's name")
        self.service = service
        self.schema = schema ?? service
    }

    /// The Redis channel that carries this service's events.
    public static func channel(_ service: String) -> String { "techheroes.\(service)" }

    /// Runs a transaction and has its events published once it is committed.
    ///
    /// - Throws: what `PostgresClient.withTransaction` throws.
    public func withTransaction<R: Sendable>(
        _ client: PostgresClient, _ body: @Sendable (PostgresTransaction) async throws -> R
    ) async throws -> R {
        // Also after a failure: a COMMIT whose answer was lost may have taken effect, and a ring too many costs nothing.
        defer { committed() }
        return try await client.withTransaction(body)
    }

    /// Publishes events when the transaction commits. Call ``committed()`` after that.
    ///
    /// - Throws: `PostgresError`.
    public func append(_ events: NewEvent..., in transaction: PostgresTransaction) async throws {
        try await append(events, in: transaction)
    }

    /// Publishes events when the transaction commits. Call ``committed()`` after that.
    ///
    /// - Throws: `PostgresError`.
    public func append(_ events: [NewEvent], in transaction: PostgresTransaction) async throws {
        guard !events.isEmpty else { return }
        _ = try await transaction.execute(insertion(events))
    }

    /// The INSERT of events, as a statement or as the body of a CTE in a write of one statement:
    /// `WITH changed AS (UPDATE …), published AS (\(outbox.insertion(event))) SELECT …`. It inserts whether or not
    /// `changed` has a row; ``insertion(_:subject:recipients:data:traceparent:from:)`` does not.
    public func insertion(_ events: NewEvent...) -> SQL {
        insertion(events)
    }

    /// The INSERT of events; see ``insertion(_:)-(NewEvent...)``.
    public func insertion(_ events: [NewEvent]) -> SQL {
        precondition(!events.isEmpty, "nothing to insert")
        let rows = events.map { event -> SQL in
            """
            (\(event.type)::text, \(event.subject)::text, \(event.recipients)::uuid[], \(event.data)::jsonb, \
            \(event.traceparent)::text)
            """
        }
        return "\(insert) VALUES \(SQL.joined(rows, separator: ", "))"
    }

    /// The INSERT of one event for each row of a CTE that changed something: nothing changed, nothing published.
    ///
    /// - Parameters:
    ///   - type: what happened.
    ///   - subject: an expression over the CTE's columns, of type text.
    ///   - recipients: an expression of type uuid[].
    ///   - data: an expression of type json or jsonb that makes an object.
    ///   - traceparent: an expression of type text: the W3C trace context.
    ///   - changed: the CTE's name, or a join of it with others.
    public func insertion(
        _ type: String, subject: SQL, recipients: SQL = "'{}'::uuid[]", data: SQL, traceparent: SQL = "NULL",
        from changed: SQL
    ) -> SQL {
        """
        \(insert) SELECT \(type)::text, (\(subject))::text, \(recipients), (\(data))::jsonb, (\(traceparent))::text \
        FROM \(changed)
        """
    }

    private var insert: SQL {
        "INSERT INTO \(unsafeRaw: schema).outbox (type, subject, recipients, data, traceparent)"
    }

    /// The last position given, for a page of a snapshot: read it before the items. See ``SnapshotPage``.
    ///
    /// - Throws: `PostgresError`.
    public func position(_ client: PostgresClient) async throws -> Int64 {
        let rows = try await client.read("SELECT position FROM \(unsafeRaw: schema).relay_head")
        guard let row = rows.first else { throw PostgresError(.decoding, "relay_head has no row") }
        return try row.decode(Int64.self)
    }

    /// Says that events have been committed, so that they go out at once, or with others that follow closely
    /// (``RelaySettings/lookInterval``), and not at the relay's next look of its own accord (250 ms).
    public func committed() {
        doorbell.ring()
    }
}
