/// A session with a connection of its own, for what needs one: advisory locks, LISTEN, COPY, scripts. Statements are
/// not in a transaction unless one is begun. It ends with the closure that was given it, and leaves nothing behind:
/// an open transaction is rolled back, locks, settings and LISTEN are undone.
public struct PostgresConnection: Sendable {
    let client: PostgresClient
    let lease: Lease

    /// What arrives on the channels listened to with ``listen(_:)``. It ends when the connection is lost. Only the
    /// newest 1024 are kept for a reader that is slow. For one reader.
    public let notifications: AsyncStream<PostgresNotification>

    /// Runs one statement.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> PostgresRows {
        try await client.submit(Request(sql)) { .statement(lease, $0) }
    }

    /// Runs several statements, as they stand, in one implicit transaction (protocol, "Simple Query"); for migrations.
    public func executeScript(unsafeRaw text: String) async throws {
        _ = try await client.submit(Request(SQL(unsafeRaw: text), kind: .simple)) { .statement(lease, $0) }
    }

    /// Begins to receive the channel's notifications.
    /// - Parameter channel: its name, quoted here.
    public func listen(_ channel: String) async throws {
        try await execute("LISTEN \(unsafeRaw: SQL.quotedIdentifier(channel))")
    }

    /// For how long one statement may run from now on in this session; nil is without end.
    public func setStatementTimeout(_ timeout: Duration?) async throws {
        try await execute("SELECT set_config('statement_timeout', \("\(timeout?.wholeMilliseconds ?? 0)"), false)")
        _ = try await client.submit(Request("", kind: .patience(timeout))) { .statement(lease, $0) }
    }

    /// Sends rows with `COPY … FROM STDIN`.
    /// - Parameters:
    ///   - statement: the COPY statement, without parameters.
    ///   - body: writes the data; when it throws, the server forgets what it got.
    /// - Returns: the rows copied.
    @discardableResult
    public func copy(
        _ statement: SQL, _ body: @Sendable (PostgresCopyWriter) async throws -> Void
    ) async throws -> Int {
        let begun = try await client.submit(Request(statement, kind: .copy)) { .statement(lease, $0) }
        guard begun.result.isCopyIn else { throw PostgresError(.protocolViolation, "not a COPY FROM STDIN") }
        do {
            try await body(PostgresCopyWriter(client: client, lease: lease))
        } catch {
            _ = try? await client.submit(Request(""), isCancellable: false) {
                .copy(lease, CopyChunk(.abort("given up by the client", $0)))
            }
            throw error
        }
        return try await client.submit(Request(""), isCancellable: false) { .copy(lease, CopyChunk(.end($0))) }.affected
    }
}

/// Writes the data of a COPY.
public struct PostgresCopyWriter: Sendable {
    let client: PostgresClient
    let lease: Lease

    /// Sends bytes in the format the COPY statement asked for; returns when there is room for more.
    public func write(_ bytes: [UInt8]) async throws {
        try await withUnsafeThrowingContinuation { continuation in
            let chunk = CopyChunk(.data(bytes))
            chunk.continuation = continuation
            if !client.mailbox.put(.copy(lease, chunk)) { chunk.fail(PostgresError(.closed, "shut down")) }
        }
    }

    /// Sends text in the format the COPY statement asked for; returns when there is room for more.
    public func write(_ text: String) async throws {
        try await write(Array(text.utf8))
    }
}

extension PostgresClient {
    /// Gives `body` a connection of its own.
    @discardableResult
    public func withConnection<Result: Sendable>(
        _ body: @Sendable (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self, bufferingPolicy: .bufferingNewest(1024))
        let lease = Lease(.session, notifications: continuation)
        do {
            _ = try await submit(Request("", kind: .acquire)) { .statement(lease, $0) }
            let result = try await body(PostgresConnection(client: self, lease: lease, notifications: stream))
            await discard(lease)
            return result
        } catch {
            await discard(lease)
            throw error
        }
    }

    private func discard(_ lease: Lease) async {
        _ = try? await submit(Request("DISCARD ALL"), isCancellable: false) { .finish(lease, .discard, $0) }
    }
}

extension SQL {
    /// A name as SQL takes it whatever is in it.
    static func quotedIdentifier(_ name: String) -> String {
        var quoted = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { quoted += "\"" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
