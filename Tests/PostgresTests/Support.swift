import Logging
import NIOCore
import NIOPosix
import TestKit
import Testing

@testable import Postgres

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Where a client's connections live.
enum Home: CaseIterable {
    case ownThread, eventLoop

    static let loop = MultiThreadedEventLoopGroup.singleton.any()

    /// What a client is told.
    var loop: (any EventLoop)? { self == .eventLoop ? Self.loop : nil }
}

/// A client on a fresh database of the shared server, or on `server`.
@discardableResult
func withClient<Result: Sendable>(
    _ home: Home = .ownThread, of server: TestPostgres? = nil,
    configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresClient) async throws -> Result
) async throws -> Result {
    let conninfo: String
    if let server {
        conninfo = server.conninfo()
    } else {
        let shared = try await TestPostgres.shared()
        conninfo = shared.conninfo(database: try await shared.database())
    }
    var configuration = PostgresConfiguration(conninfo, applicationName: "test")
    // Each wait is under test where a test sets it; elsewhere a busy machine is no failure.
    configuration.acquireTimeout = .seconds(20)
    configuration.connectTimeout = .seconds(20)
    configuration.cancelTimeout = .seconds(20)
    configure(&configuration)
    return try await PostgresClient.with(configuration, on: home.loop, logger: quiet, body)
}

/// The code of the PostgresError that `body` throws; nil when it throws none.
func code(of body: () async throws -> Void) async -> PostgresError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? PostgresError)?.code
    }
}

/// The PostgresError that `body` throws; nil when it throws none.
func failure(of body: () async throws -> Void) async -> PostgresError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}

extension PostgresClient {
    /// Reads one value and expects it to be this. (A closure whose only `try` is inside `#expect` does not count as
    /// throwing.)
    func expect<Value: PostgresDecodable & Equatable & Sendable>(
        _ sql: SQL, _ value: Value, _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let found = try await self.value(sql, as: Value.self)
        #expect(found == value, sourceLocation: location)
    }

    func value<Value: PostgresDecodable & Sendable>(_ sql: SQL, as type: Value.Type = Value.self) async throws -> Value
    {
        let rows = try await read(sql)
        guard let row = rows.first else { throw PostgresError(.decoding, "no row") }
        return try row.decode(type)
    }
}
