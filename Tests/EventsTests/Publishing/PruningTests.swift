import Foundation
import NIOCore
import Postgres
import Redis
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import Events
@Suite struct PruningTests {
    @Test func `how long events are kept is a setting, in days, and less than messages are remembered`() throws {
        func keep(_ settings: [String: String]) throws -> Duration {
            var reader = SettingsReader(environment: settings)
            let relay = reader.relay()
            return try reader.finish(relay).keep
        }
        #expect(try keep([:]) == .seconds(7 * 86_400))
        #expect(try keep(["EVENTS_KEEP_DAYS": "29"]) == .seconds(29 * 86_400))
        for wrong in ["0", "30", "a week"] {
            #expect(throws: SettingsFaults.self) { try keep(["EVENTS_KEEP_DAYS": wrong]) }
        }
    }

    @Test func `old events are pruned from the front, never one without a position`() async throws {
        try await Stage.with { stage in
            var settings = RelaySettings()
            settings.keep = .seconds(3600)
            settings.pruneInterval = .milliseconds(50)
            settings.prunePiece = 10
            let relay = Replica(stage, settings: settings)
            try await relay.leads()
            try await relay.publish(1...100)
            try await eventually("positions") { try await stage.positions().sorted() == Array(1...100) }
            // 1-60 and 70-80 are old; what comes after 60 must stay all the same.
            try await stage.client.execute(
                """
                UPDATE source.outbox SET time = now() - interval '2 hours' \
                WHERE position <= 60 OR position BETWEEN 70 AND 80
                """)
            try await eventually("pruned") { try await stage.positions().sorted() == Array(61...100) }
            // Old and without a position: not pruned while another holds the head.
            try await stage.client.withTransaction { transaction in
                try await transaction.execute("SELECT 1 FROM source.relay_head FOR UPDATE")
                try await stage.client.execute("UPDATE source.outbox SET time = now() - interval '2 hours'")
                try await stage.client.execute(
                    """
                    INSERT INTO source.outbox (type, subject, data, time) \
                    VALUES ('thing.changed', '1', '{"number": 101}', now() - interval '2 hours')
                    """)
                try await eventually("all the others pruned") { try await stage.positions() == [-1] }
            }
            try await eventually("given a position, then pruned") { try await stage.positions() == [] }
            #expect(try await stage.value("SELECT position FROM source.relay_head") == 101 as Int64)
            try await relay.processes.stop()
        }
    }
}
