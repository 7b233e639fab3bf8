import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@testable import Events

@Suite struct ConsumerMetricsTests {
    private func value(_ name: String) -> Double {
        Measured.value(name, service: "reader", source: Stage.source) ?? 0
    }

    /// Until it is settled and has reported so: what is counted from then on is the test's.
    private func settled(_ stage: Stage, _ source: StubSource) async throws {
        try await stage.settled(source)
        let last = source.state.withLock { $0.events.last?.position ?? 0 }
        try await eventually("it reports where it is") { value("events_consumer_position") == Double(last) }
    }

    @Test func `how far it is, what took effect and the gaps that were healed are reported`() async throws {
        Measured.begin()
        try await Stage.withStub { stage, source in
            let reader = Reader.start(stage, [source.address], settings: .trusting)
            try await settled(stage, source)
            let (applied, gaps) = (value("events_applied_total"), value("events_gaps_healed_total"))
            let events = source.keep(1...9)
            try await source.say([events[5]])
            try await stage.expect(1...9)
            try await eventually("a gap healed") { value("events_gaps_healed_total") - gaps == 1 }
            #expect(value("events_applied_total") - applied == 9)
            #expect(value("events_consumer_position") == Double(events[8].position))
            #expect(value("events_consumer_lag_events") == 0)
            #expect(value("events_consumer_lag_seconds") == 0)
            try await reader.stop()
        }
    }

    @Test func `lag grows while an event can't take effect, and tries and parked events are counted`() async throws {
        Measured.begin()
        struct Poison: Error {}
        struct Outage: UnavailableError { var isUnavailable: Bool { true } }
        try await Stage.withStub { stage, source in
            let isOut = Switch()
            let reader = Reader.start(
                stage, [source.address],
                handlers: [
                    "thing.changed": { event, transaction in
                        if event.number == 2 { throw Poison() }
                        if event.number == 5, isOut.isSet { throw Outage() }
                        try await Stage.note()(event, transaction)
                    }
                ])
            try await settled(stage, source)
            let (retries, parked) = (value("events_retries_total"), value("events_parked_total"))
            try await source.say(source.keep(1...3))
            try await eventually("parked") { value("events_parked_total") - parked == 1 }
            // Every try but the last.
            #expect(value("events_retries_total") - retries == 4)
            isOut.set(true)
            let last = source.keep(4...10)[6]
            try await eventually("lag") { value("events_consumer_lag_events") >= 6 }
            try await eventually("its age grows") { value("events_consumer_lag_seconds") > 0.5 }
            isOut.set(false)
            try await stage.expect([1, 3] + Array(4...10))
            try await eventually("no lag") {
                value("events_consumer_lag_events") == 0 && value("events_consumer_lag_seconds") == 0
            }
            #expect(value("events_consumer_position") == Double(last.position))
            try await reader.stop()
        }
    }

    private final class Switch: Sendable {
        private let flag = Mutex(false)
        var isSet: Bool { flag.withLock { $0 } }
        func set(_ value: Bool) { flag.withLock { $0 = value } }
    }
}
