import Postgres
import TestKit
import Testing

@testable import Events

@Suite struct RelayMetricsTests {
    /// Those that measure all the time.
    private static var settings: RelaySettings {
        var settings = RelaySettings()
        settings.measureInterval = .milliseconds(20)
        return settings
    }

    private func value(_ name: String) -> Double { Measured.value(name, service: Stage.source) ?? 0 }

    @Test func `who leads, how far it is and what it has told are reported`() async throws {
        Measured.begin()
        try await Stage.with { stage in
            let before = value("events_published_total")
            let relay = Replica(stage, settings: Self.settings)
            try await relay.leads()
            try await relay.publish(1...7)
            try await eventually("told") { value("events_published_total") - before >= 7 }
            try await eventually("its position") { value("events_relay_position") == 7 }
            #expect(value("events_relay_leader") == 1)
            try await eventually("nothing waits") {
                value("events_relay_waiting") == 0 && value("events_relay_lag_seconds") == 0
            }
            try await relay.processes.stop()
            // Its successor's word, if there is one, counts now.
            #expect(value("events_relay_leader") == 0)
        }
    }

    @Test func `a backlog is reported while it lasts, with its age`() async throws {
        Measured.begin()
        try await Stage.with { stage in
            try await stage.client.execute(
                """
                INSERT INTO source.outbox (type, subject, data, time) \
                SELECT 'thing.changed', '1', '{"number": 1}', now() - interval '1 minute' FROM generate_series(1, 5000)
                """)
            var settings = Self.settings
            settings.batch = 1
            let relay = Replica(stage, settings: settings)
            try await eventually("a backlog") {
                value("events_relay_waiting") > 100 && (50...120).contains(value("events_relay_lag_seconds"))
            }
            await relay.processes.kill()
        }
    }

    @Test func `what waits is reported by replicas of which none can lead`() async throws {
        Measured.begin()
        try await Stage.with { stage in
            let relay = try await stage.client.withConnection { session in
                // Somebody else has the lock of the one who leads, and does nothing.
                try await session.execute(
                    "SELECT pg_advisory_lock(hashtextextended('relay ' || \(Stage.source), 0))")
                let relay = Replica(stage, settings: Self.settings)
                try await relay.publish(1...3)
                try await eventually("what waits") {
                    value("events_relay_waiting") == 3 && value("events_relay_lag_seconds") > 0
                }
                let first = value("events_relay_lag_seconds")
                try await eventually("a growing lag") { value("events_relay_lag_seconds") > first }
                #expect(value("events_relay_leader") == 0)
                return relay
            }
            try await eventually("nothing waits any more") {
                value("events_relay_waiting") == 0 && value("events_relay_lag_seconds") == 0
            }
            #expect(value("events_relay_leader") == 1)
            try await relay.processes.stop()
        }
    }

    @Test func `what Redis did not take is reported`() async throws {
        Measured.begin()
        let redis = try await TestRedis.start()
        try await Stage.with(redis: redis) { stage in
            let relay = Replica(stage)
            try await relay.leads()
            try await redis.stop()
            let before = value("events_publish_failures_total")
            try await relay.publish(1...3)
            try await eventually("failures") { value("events_publish_failures_total") - before >= 3 }
            try await relay.processes.stop()
        }
    }
}
