import AccountsDomain
import Foundation
import Identity
import Logging
import ServiceKit
import Testing

@testable import AccountsService

@Suite("What operators do about messages")
struct DeliveryRecordsTests {
    private static func records(_ deliveries: Deliveries) throws -> DeliveryRecords {
        let settings = try AccountsSettings(
            SettingsReader(environment: [
                "DATABASE_URL": deliveries.postgres.uri(database: deliveries.database),
                "REDIS_URL": "redis://127.0.0.1", "SECRET_KEY": RunningAccounts.secret,
            ]))
        return DeliveryRecords(settings, logger: Deliveries.logger)
    }

    /// One sent, one that waits, one given up, one given up that held a code which has ended.
    private static func fill(_ deliveries: Deliveries) async throws {
        try await deliveries.add(.init(kind: .emailChanged, to: "sent@b.co", name: "Cam", code: nil))
        #expect(try await deliveries.worker.sendDue() == 1)
        deliveries.sent.failure = DeliveryFailure(reason: "smtp 550", isPermanent: true)
        try await deliveries.add(.init(kind: .emailChanged, to: "parked@b.co", name: "Cam", code: nil))
        try await deliveries.add(
            .init(kind: .resetPassword, to: "code@b.co", name: "Cam", code: "abcd2345"),
            notAfter: deliveries.clock.now.advanced(by: .seconds(60)))
        #expect(try await deliveries.worker.sendDue() == 2)
        deliveries.sent.failure = nil
        try await deliveries.add(.init(kind: .emailChanged, to: "waiting@b.co", name: "Cam", code: nil))
    }

    @Test("They see how it stands with each, and no address")
    func list() async throws {
        try await Deliveries.with { deliveries in
            try await Self.fill(deliveries)
            let records = try Self.records(deliveries)
            let all = try await records.list(nil, limit: 100)
            #expect(all.map(\.id) == [4, 3, 2] && all.map(\.state) == ["waiting", "parked", "parked"])
            #expect(all.map(\.reason) == [nil, "smtp 550", "smtp 550"])
            #expect(all.map(\.canBeRetried) == [false, true, true])
            #expect(all.map { $0.next == nil } == [false, true, true])
            #expect(!"\(all)".contains("@b.co") && !"\(all)".contains("abcd2345"))
            #expect(try await records.list(.sent, limit: 100).map(\.id) == [1])
            #expect(try await records.list(.parked, limit: 1).map(\.id) == [3])
        }
    }

    @Test("One that was given up is sent after all; no other is touched")
    func retry() async throws {
        try await Deliveries.with { deliveries in
            try await Self.fill(deliveries)
            let records = try Self.records(deliveries)
            #expect(try await records.retry(1) == .isNotParked)
            #expect(try await records.retry(4) == .isNotParked)
            #expect(try await records.retry(99) == .isNotParked)
            #expect(try await records.retry(2) == .waits)
            #expect(try await records.retry(2) == .isNotParked)
            deliveries.clock.advance(by: .seconds(30))
            #expect(try await deliveries.worker.sendDue() == 2)
            #expect(Set(deliveries.sent.mails.map(\.to)) == ["sent@b.co", "parked@b.co", "waiting@b.co"])
            #expect(
                try await deliveries.sql("SELECT state, attempts FROM accounts.deliveries WHERE id = 2") == "sent|1")
        }
    }

    @Test("All are retried that are still of use; a code that has ended is erased and stays so")
    func retryAll() async throws {
        try await Deliveries.with { deliveries in
            try await Self.fill(deliveries)
            let records = try Self.records(deliveries)
            try await deliveries.sql("UPDATE accounts.deliveries SET not_after = now() - interval '1 s' WHERE id = 3")
            #expect(try await records.retryAll() == 1)
            deliveries.clock.advance(by: .seconds(61))
            try await deliveries.clean()
            #expect(
                try await deliveries.sql("SELECT state, payload IS NULL FROM accounts.deliveries WHERE id = 3")
                    == "parked|t")
            #expect(try await records.retry(3) == .isErased)
            #expect(try await records.list(.parked, limit: 10).map(\.canBeRetried) == [false])
        }
    }
}
