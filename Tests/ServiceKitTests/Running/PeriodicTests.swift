import Logging
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@Suite struct PeriodicTests {
    struct Broken: Error {}

    @Test func `work is done at once and again, also after it failed, until the end`() async throws {
        let times = Mutex(0)
        let periodic = Periodic("work", every: .milliseconds(1), logger: Logger(label: "test")) {
            let time = times.withLock { times in
                times += 1
                return times
            }
            if time == 2 { throw Broken() }
        }
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: periodic)], logger: Logger(label: "test")))
        let running = Task { try await group.run() }
        try await eventually("four times") { times.withLock { $0 } >= 4 }
        await group.triggerGracefulShutdown()
        // The group takes a service that ends by itself for a failure: it must have ended because it was told to.
        try await running.value
    }

    @Test func `a pause ends with the process`() async throws {
        let times = Mutex(0)
        let periodic = Periodic("work", every: .hours(1), logger: Logger(label: "test")) {
            times.withLock { $0 += 1 }
        }
        let running = Task { await periodic.run() }
        try await eventually("the first time") { times.withLock { $0 } == 1 }
        running.cancel()
        await running.value
        #expect(times.withLock { $0 } == 1)
    }
}

extension Duration {
    fileprivate static func hours(_ count: Int) -> Duration { .seconds(3600 * count) }
}
