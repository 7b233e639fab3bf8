import Hummingbird
import Identity
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@Suite struct ServiceRunnerTests {
    @Test func `on the way out it says so first, finishes what is in flight, and then ends`() async throws {
        let gate = Gate()
        let routes = [
            Route(.get, "/slow", access: .public) { _ in
                await gate.pass()
                return .text(.ok, "done")
            },
            Route(.get, "/fast", access: .public) { _ in .text(.ok, "fast") },
        ]
        try await TestService.with(routes, drainDelay: .seconds(7)) { service in
            let slow = try await Wire(port: service.port)
            try await slow.send(TestService.request("GET", "/slow"))
            await gate.waitUntilEntered()
            let kept = try await Wire(port: service.port)
            try await kept.send(TestService.request("GET", "/fast"))
            #expect(try await kept.answer()?["connection"] == nil)
            #expect(try await service.send("GET", "/health/ready", as: nil).status == 200)

            await service.group.triggerGracefulShutdown()

            // Not ready, still serving, and every answer ends its connection.
            try await eventually("it says that it is going") {
                try await service.send("GET", "/health/ready", as: nil).status == 503
            }
            #expect(try await service.send("GET", "/health/live", as: nil).status == 200)
            try await kept.send(TestService.request("GET", "/fast"))
            let last = try await kept.answer()
            #expect(last?.text == "fast")
            #expect(last?["connection"] == "close")
            #expect(try await kept.isEnded())

            try await eventually(within: .seconds(30), "it no longer accepts") {
                (try? await Wire(port: service.port)) == nil
            }
            gate.open()
            let answer = try await slow.answer()
            #expect(answer?.text == "done")
            #expect(answer?["connection"] == "close")
            #expect(try await slow.isEnded())
        }
    }

    @Test func `what the routes need ends after them`() async throws {
        let order = Mutex<[String]>([])
        let gate = Gate()
        let routes = [
            Route(.get, "/slow", access: .public) { _ in
                await gate.pass()
                order.withLock { $0.append("request") }
                return .empty()
            }
        ]
        let parts = ["pool", "worker"].map { name in Part { order.withLock { $0.append(name) } } }
        try await TestService.with(routes, services: parts) { service in
            let slow = try await Wire(port: service.port)
            try await slow.send(TestService.request("GET", "/slow"))
            await gate.waitUntilEntered()
            await service.group.triggerGracefulShutdown()
            try await eventually("it no longer accepts") { (try? await Wire(port: service.port)) == nil }
            gate.open()
            #expect(try await slow.answer()?.status == 200)
        }
        #expect(order.withLock { $0 } == ["request", "worker", "pool"])
    }

    @Test func `readiness is that of its parts`() async throws {
        let isWell = Atomic(false)
        try await TestService.with([], checks: [Health.Check("postgres") { isWell.load(ordering: .relaxed) }]) {
            service in
            let answer = try await service.send("GET", "/health/ready", as: nil)
            #expect(answer.status == 503)
            #expect(answer.text == #"{"status":"unavailable","waiting_for":["postgres"]}"#)
            #expect(await HealthCommand.isReady(port: service.port) == false)
            isWell.store(true, ordering: .relaxed)
            #expect(try await service.send("GET", "/health/ready/", as: nil).text == #"{"status":"ok"}"#)
            #expect(await HealthCommand.isReady(port: service.port, timeout: .seconds(20)))
        }
        #expect(await HealthCommand.isReady(port: try freePort()) == false)
    }
}
