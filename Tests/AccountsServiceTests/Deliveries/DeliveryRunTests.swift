import AccountsDomain
import Foundation
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import AccountsService

@Suite("A delivery worker that runs")
struct DeliveryRunTests {
    private static let message = Message(kind: .emailChanged, to: "a@b.co", name: "Cam", code: nil)

    /// A way out that tells when a mail is under way and holds it until it is let go.
    private final class Gate: Sendable {
        private let state = Mutex<(started: Int, finished: Int)>((0, 0))
        private let gate: AsyncStream<Void>
        let open: AsyncStream<Void>.Continuation

        init() { (gate, open) = AsyncStream.makeStream() }

        var started: Int { state.withLock { $0.started } }
        var finished: Int { state.withLock { $0.finished } }

        func outgoing(width: Int = 4) -> Outgoing {
            Outgoing(channel: .mail, width: width, longestTry: .seconds(30)) { _, _, _ in
                self.state.withLock { $0.started += 1 }
                for await _ in self.gate { break }
                self.state.withLock { $0.finished += 1 }
            }
        }
    }

    private static func running(
        _ worker: DeliveryWorker, _ body: (_ stop: @Sendable () async -> Void) async throws -> Void
    ) async throws {
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: worker)], logger: Deliveries.logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body { await group.triggerGracefulShutdown() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test("It claims no more than it can begin at once, and goes on as soon as one has left")
    func width() async throws {
        try await Deliveries.with { deliveries in
            for _ in 0..<10 { try await deliveries.add(Self.message) }
            let gate = Gate()
            try await Self.running(deliveries.worker(gate.outgoing(width: 4))) { _ in
                try await TestKitPolling.until("four under way") { gate.started == 4 }
                #expect(try await deliveries.sql("SELECT count(*) FROM accounts.deliveries WHERE attempts > 0") == "4")
                gate.open.yield()
                try await TestKitPolling.until("the fifth") { gate.started == 5 }
                gate.open.finish()
                try await TestKitPolling.until("all") { gate.finished == 10 }
            }
            #expect(
                try await deliveries.sql("SELECT state, attempts, count(*) FROM accounts.deliveries GROUP BY 1, 2")
                    == "sent|1|10")
        }
    }

    @Test("Told to end, it finishes what is under way, notes that, and begins nothing more")
    func shutdown() async throws {
        try await Deliveries.with { deliveries in
            for _ in 0..<5 { try await deliveries.add(Self.message) }
            let (started, finished) = (Locked(0), Locked(0))
            let outgoing = Outgoing(channel: .mail, width: 2, longestTry: .seconds(30)) { _, _, _ in
                started.withLock { $0 += 1 }
                // Each ends only once the worker has been told.
                try await gracefulShutdown()
                finished.withLock { $0 += 1 }
            }
            try await Self.running(deliveries.worker(outgoing)) { stop in
                try await TestKitPolling.until("two under way") { started.withLock { $0 } == 2 }
                await stop()
            }
            #expect(started.withLock { $0 } == 2 && finished.withLock { $0 } == 2)
            #expect(
                try await deliveries.sql(
                    "SELECT state, attempts, count(*) FROM accounts.deliveries GROUP BY 1, 2 ORDER BY 1")
                    == "sent|1|2\nwaiting|0|3")
        }
    }

    @Test("What has left is noted once Postgres is back, and does not leave again")
    func postgresAway() async throws {
        let postgres = try await TestPostgres.start()
        try await Deliveries.with(postgres) { deliveries in
            try await deliveries.add(Self.message)
            let gate = Gate()
            try await Self.running(deliveries.worker(gate.outgoing())) { _ in
                try await TestKitPolling.until("under way") { gate.started == 1 }
                try await postgres.stop(.immediate)
                gate.open.finish()
                try await TestKitPolling.until("left") { gate.finished == 1 }
                // Its claim runs out meanwhile.
                deliveries.clock.advance(by: .seconds(120))
                try await TestKitPolling.until("it knows") { deliveries.log.text.contains("waits to be noted") }
                try await postgres.start()
                try await eventually(within: .seconds(30), "noted") {
                    try await deliveries.sql("SELECT state FROM accounts.deliveries") == "sent"
                }
            }
            #expect(gate.started == 1)
            #expect(try await deliveries.sql("SELECT attempts FROM accounts.deliveries") == "1")
        }
    }

    @Test("A failure that comes after the claim has passed to another worker changes nothing")
    func lateFailure() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.add(Self.message)
            let (gate, open) = AsyncStream<Void>.makeStream()
            let slow = Outgoing(channel: .mail, width: 1, longestTry: .seconds(30)) { _, _, _ in
                for await _ in gate { break }
                throw DeliveryFailure(reason: "late", isPermanent: true)
            }
            let first = deliveries.worker(slow)
            let row = try #require(try await first.next()?.first)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await first.attempt(row) }
                deliveries.clock.advance(by: .seconds(61))
                #expect(try await deliveries.worker.sendDue() == 1)
                open.finish()
                try await tasks.waitForAll()
            }
            let after = try await deliveries.row()
            #expect(after.state == "sent" && after.reason == nil && deliveries.sent.mails.count == 1)
        }
    }

    @Test("A message of a kind that only another release knows waits for that one")
    func unknownKind() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.add(Self.message)
            try await deliveries.sql("UPDATE accounts.deliveries SET kind = 'of-tomorrow'")
            #expect(try await deliveries.worker.sendDue() == 0)
            #expect(try await deliveries.row().state == "waiting")
        }
    }

    @Test("Mail that doesn't get through holds up no SMS")
    func channels() async throws {
        try await Deliveries.with { deliveries in
            let gate = Gate()
            for _ in 0..<20 { try await deliveries.add(Self.message) }
            try await Self.running(deliveries.worker(gate.outgoing(width: 2))) { _ in
                try await TestKitPolling.until("mail is stuck") { gate.started == 2 }
                try await deliveries.add(.init(kind: .verifyPhone, to: "2345678901", name: "Cam", code: "abc234"))
                let sms = try deliveries.worker.all[1]
                #expect(try await Workers(all: [sms]).sendDue() == 1)
                #expect(deliveries.sent.sms.count == 1)
                gate.open.finish()
            }
        }
    }

    @Test("A server's wish to be left alone is heard, for an hour at most")
    func retryAfter() async throws {
        try await Deliveries.with { deliveries in
            try await deliveries.add(Self.message)
            for (wish, least, most) in [(600, 600, 600), (1_000_000, 3600, 3600), (0, 0, 60)] {
                deliveries.sent.failure = DeliveryFailure(
                    reason: "busy", isPermanent: false, retryAfter: .seconds(wish))
                #expect(try await deliveries.worker.sendDue() == 1)
                let wait = try await deliveries.row().nextAttempt.since(deliveries.clock.now)
                #expect(wait >= .seconds(least) && wait <= .seconds(most), "\(wait)")
                deliveries.clock.advance(by: wait)
            }
        }
    }
}
