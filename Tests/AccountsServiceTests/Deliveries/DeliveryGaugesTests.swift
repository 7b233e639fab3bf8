import Foundation
import NIOCore
import Postgres
import TestKit
import Testing

@testable import AccountsService

@Suite("How many messages wait or were given up, as operators see it")
struct DeliveryGaugesTests {
    @Test("Each state and channel has a number that follows the table, and there are no other labels")
    func gauges() async throws {
        var options = RunningAccounts.Options()
        let port = try freePort()
        options.settings["ACCOUNTS_METRICS_PORT"] = "\(port)"
        options.deliveryCountInterval = .milliseconds(20)
        try await RunningAccounts.with(options) { app in
            @Sendable func lines(_ name: String) async throws -> [String: Double] {
                let response = try await RunningAccounts.http.get(url: "http://127.0.0.1:\(port)/metrics").get()
                let text = String(buffer: response.body ?? ByteBuffer())
                let lines = text.split(separator: "\n").filter { $0.hasPrefix("\(name){") }
                return Dictionary(
                    uniqueKeysWithValues: lines.map { line in
                        let words = line.dropFirst(name.count).split(separator: " ")
                        return (String(words[0]), Double(words[1]) ?? -1)
                    })
            }
            func key(_ channel: String, _ state: String) -> String { #"{channel="\#(channel)",state="\#(state)"}"# }
            func expect(_ counts: [String: Double]) async throws {
                try await TestKitPolling.until("\(counts)") { try await lines("deliveries_by_state") == counts }
            }
            let mail = [key("mail", "waiting"), key("mail", "parked"), key("sms", "waiting"), key("sms", "parked")]
            try await expect([mail[0]: 0, mail[1]: 0, mail[2]: 0, mail[3]: 0])
            // Of kinds that only another release knows, so that nobody here sends them.
            try await app.sql(
                """
                INSERT INTO accounts.deliveries (event, recipient, channel, kind, state, next_attempt, created, finished)
                SELECT gen_random_uuid(), gen_random_uuid(), channel, 'of-tomorrow', state,
                    to_timestamp(\(app.clock.now.seconds - 3600)), now(), CASE WHEN state <> 'waiting' THEN now() END
                FROM (VALUES ('mail', 'waiting', 3), ('mail', 'parked', 2), ('sms', 'parked', 1), ('mail', 'sent', 5),
                    ('mail', 'void', 1)) AS v (channel, state, n), generate_series(1, n);
                """)
            try await expect([mail[0]: 3, mail[1]: 2, mail[2]: 0, mail[3]: 1])
            let due = try await lines("deliveries_due_seconds")
            #expect(due[#"{channel="sms"}"#] == 0)
            #expect((3600..<3601).contains(due[#"{channel="mail"}"#] ?? 0), "\(due)")
            try await app.sql("UPDATE accounts.deliveries SET state = 'sent', finished = now()")
            try await expect([mail[0]: 0, mail[1]: 0, mail[2]: 0, mail[3]: 0])
            #expect(try await lines("deliveries_due_seconds").values.allSatisfy { $0 == 0 })
        }
    }

    @Test("They are counted by indexes, however many were sent")
    func plan() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.sql(
                """
                INSERT INTO accounts.deliveries (event, recipient, channel, kind, state, next_attempt, created, finished)
                SELECT gen_random_uuid(), gen_random_uuid(), 'mail', 'verify-email',
                    CASE n % 1000 WHEN 1 THEN 'waiting' WHEN 2 THEN 'parked' ELSE 'sent' END, now(), now(), now()
                FROM generate_series(1, 50000) n;
                VACUUM ANALYZE accounts.deliveries;
                """)
            let plan = try await deliveries.client.read("EXPLAIN \(DeliveryGauges.counts)").decode(String.self)
                .joined(separator: "\n")
            #expect(plan.contains("deliveries_due") && plan.contains("deliveries_parked"), "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }
}
