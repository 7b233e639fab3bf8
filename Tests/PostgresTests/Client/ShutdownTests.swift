import Synchronization
import TestKit
import Testing

@testable import Postgres

@Suite("The end of a client") struct ShutdownTests {
    /// A process that exits while a thread of it is inside libpq may die of it.
    @Test(
        "A client that ends while it connects to a frozen server leaves no thread inside libpq",
        arguments: Home.allCases)
    func noThreadIsLeft(_ home: Home) async throws {
        let server = try await TestPostgres.start()
        server.freeze()
        var configuration = PostgresConfiguration(
            server.conninfo(database: "postgres"), applicationName: "shutdown")
        configuration.connectTimeout = .seconds(5)
        let client = PostgresClient(configuration, on: home.loop, logger: quiet)
        let run = Task { try await client.run() }
        try await eventually("it connects") { client.mailbox.blockedThreads.load(ordering: .acquiring) > 0 }
        run.cancel()
        if let loop = home.loop {
            // Nothing of this may block a loop that has other work: it answers while that thread is still in libpq.
            try await loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
            #expect(client.mailbox.blockedThreads.load(ordering: .acquiring) > 0)
        }
        _ = await run.result
        #expect(client.mailbox.blockedThreads.load(ordering: .acquiring) == 0)
        server.thaw()
        try await server.stop()
    }
}
