import AccountsDomain
import Foundation
import Postgres
import ServiceLifecycle
import TestKit
import Testing

@testable import AccountsService

@Suite("A thousand mails to a server that drops, delays, refuses and restarts")
struct ThousandMailsTests {
    /// What happens to how many.
    static let fates = [
        ("ok", 500), ("slow", 40), ("oncercpt450", 60), ("oncedata451", 60), ("onceslow", 20), ("oncedroprcpt", 60),
        ("oncedropdata", 60), ("oncercpt421", 40), ("rcpt550", 80), ("data554", 80),
    ]

    @Test("What was taken arrives once, what was refused for good is parked with its reason, nothing is lost")
    func all() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.withOtherClient { other in
                var server = try await MailServer.start()
                let addresses = Self.fates.flatMap { word, count in (0..<count).map { "\(word)-\($0)@example.com" } }
                    .shuffled()
                #expect(addresses.count == 1000)
                // Small clocks: with the standard ones this would take minutes.
                let schedule = RetrySchedule(first: .milliseconds(20), longest: .milliseconds(200))
                let ways = try (0..<2).map { _ in try Self.outgoing(server) }
                let workers = [
                    deliveries.worker(ways[0].0, schedule: schedule, now: Instant.now),
                    deliveries.worker(ways[1].0, on: other, schedule: schedule, now: Instant.now),
                ]
                let services: [any Service] = ways.flatMap(\.1) + workers
                let group = ServiceGroup(
                    configuration: .init(services: services.map { .init(service: $0) }, logger: Deliveries.logger))
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await group.run() }
                    try await Self.add(addresses, deliveries)
                    for share in [200, 450, 700] {
                        try await eventually(within: .seconds(120), "\(share) mails") {
                            try server.entries("accepted").count >= share
                        }
                        server = try await server.restart()
                    }
                    try await eventually(within: .seconds(120), "the last") {
                        try await deliveries.sql("SELECT count(*) FROM accounts.deliveries WHERE state = 'waiting'")
                            == "0"
                    }
                    await group.triggerGracefulShutdown()
                    try await tasks.waitForAll()
                }
                try await Self.check(deliveries, server, addresses)
            }
        }
    }

    private static func outgoing(_ server: MailServer) throws -> (Outgoing, [any Service]) {
        let address = try SMTPTransportTests.server(server, "?starttls=none&connections=4")
        let transport = SMTPTransport(address, MailTextTests.format).transport
        let clocks = ZoneClocks(try .system(), logger: Deliveries.logger)
        return (.mail(transport, try MessageTemplates(webDomain: "web.example"), clocks), transport.services)
    }

    private static func add(_ addresses: [String], _ deliveries: Deliveries) async throws {
        let now = Instant.now()
        try await deliveries.client.withTransaction { transaction in
            for address in addresses {
                try await deliveries.queue.add(
                    Message(kind: .emailChanged, to: address, name: "Cam", code: nil), to: UUID(), at: now,
                    in: transaction)
            }
        }
        deliveries.queue.wake()
    }

    private static func check(_ deliveries: Deliveries, _ server: MailServer, _ addresses: [String]) async throws {
        let accepted = try server.entries("accepted")
        let expected = addresses.filter { !$0.hasPrefix("rcpt550") && !$0.hasPrefix("data554") }
        #expect(Set(accepted.compactMap(\.to)) == Set(expected))
        // One letter for each. A server that is killed between keeping a letter and saying so gets it again, under the
        // same Message-Id: that can be what was in flight on the 8 connections at each of 3 restarts, and no more.
        #expect(Set(accepted.compactMap(\.id)).count == expected.count)
        #expect(accepted.count - expected.count <= 3 * 8)
        let states = try await deliveries.sql(
            """
            SELECT state, reason, payload IS NULL, count(*) FROM accounts.deliveries GROUP BY 1, 2, 3 ORDER BY 1, 2
            """)
        #expect(states == "parked|smtp 550 5.1.1|f|80\nparked|smtp 554 5.7.1|f|80\nsent||t|840")
        // Nobody asks again after a refusal for good.
        #expect(try server.entries("rcpt").filter { $0.to?.hasPrefix("rcpt550") == true }.count == 80)
        #expect(!deliveries.log.text.contains("example.com"))
    }
}
