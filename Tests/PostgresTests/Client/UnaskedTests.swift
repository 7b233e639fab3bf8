import Synchronization
import TestKit
import Testing

@testable import Postgres

/// A server that is shut down says so on connections that ask for nothing, and closes them a moment later.
@Suite struct UnaskedTests {
    static let reports = [
        Wire.report("E", [("S", "FATAL"), ("V", "FATAL"), ("C", "57P01"), ("M", "terminating connection")]),
        Wire.report("N", [("S", "WARNING"), ("V", "WARNING"), ("C", "01000"), ("M", "soon there is an end")]),
    ]

    /// Given out again between the two, it had two users at once, of which one waited for ever.
    @Test(.timeLimit(.minutes(1)), arguments: reports, Home.allCases)
    func `A connection in the pool on which the server says something is closed and nobody gets it`(
        report: [UInt8], home: Home
    )
        async throws
    {
        let server = try await TestPostgres.shared()
        let wire = try await Wire(to: server.port)
        let uri = server.conninfo(database: try await server.database())
            .replacing("port=\(server.port)", with: "port=\(wire.port)")
        var configuration = PostgresConfiguration(uri, applicationName: "unasked")
        configuration.readConnections = 0
        configuration.acquireTimeout = .seconds(20)
        configuration.connectTimeout = .seconds(20)
        try await PostgresClient.with(configuration, on: home.loop, logger: quiet) { client in
            try await client.execute("SELECT 1")
            #expect(wire.made == 1)
            try await wire.say(report)
            try await eventually("it is closed") { wire.standing == 0 }
            // Both are under way at the same time, so they must have a connection each.
            let inside = Count()
            let backends = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        try await client.withTransaction { transaction in
                            let rows = try await transaction.execute("SELECT pg_backend_pid()")
                            inside.add()
                            try await eventually("the other is inside too") { inside.value == 2 }
                            return try rows.first?.decode(Int.self) ?? 0
                        }
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(backends.count == 2)
        }
        try await wire.close()
    }
}

private final class Count: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}
