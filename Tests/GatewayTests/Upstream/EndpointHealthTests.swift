import NIOCore
import Testing

@testable import GatewayService

@Suite struct EndpointHealthTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test func `what can't be connected to is passed over for a second, then for twice as long, up to eight`() {
        var health = EndpointHealth()
        var now = start
        for seconds in [1, 2, 4, 8, 8] as [Int64] {
            let isNew = health.noteConnectFailure(now: now, timedOut: false)
            #expect(isNew)
            #expect(health.isEjected(now: now + .milliseconds(seconds * 1000 - 1)))
            now = now + .seconds(seconds)
            #expect(!health.isEjected(now: now))
        }
    }

    /// The loop that asks for all makes the check's connection itself, so there the answer is noted before what it says.
    @Test(arguments: [EndpointHealth.Standing.ready, .unwell])
    func `an answered check ends an ejection for want of a connection, on every loop`(standing: EndpointHealth.Standing)
    {
        var (asking, told) = (EndpointHealth(), EndpointHealth())
        for _ in 1...4 {
            _ = asking.noteConnectFailure(now: start, timedOut: false)
            _ = told.noteConnectFailure(now: start, timedOut: false)
        }
        asking.noteSuccess()
        asking.note(standing)
        told.note(standing)
        #expect(!asking.isEjected(now: start))
        #expect(!told.isEjected(now: start))
    }

    @Test func `a check that is refused ends no ejection`() {
        var health = EndpointHealth()
        _ = health.noteConnectFailure(now: start, timedOut: true)
        health.note(.away)
        #expect(health.isEjected(now: start))
        #expect(health.isSilent)
    }

    @Test func `an ejection for broken answers lasts its time, whatever checks say and however well it connects`() {
        var health = EndpointHealth()
        for _ in 1..<EndpointHealth.failuresToEject { _ = health.noteFailure(now: start) }
        #expect(!health.isEjected(now: start))
        _ = health.noteFailure(now: start)
        _ = health.noteConnectFailure(now: start, timedOut: false)
        health.note(.ready)
        #expect(health.isEjected(now: start + .milliseconds(999)))
        #expect(!health.isEjected(now: start + .seconds(1)))
    }

    @Test func `a whole answer between broken ones begins their count anew`() {
        var health = EndpointHealth()
        for _ in 1...3 {
            for _ in 1..<EndpointHealth.failuresToEject { _ = health.noteFailure(now: start) }
            health.noteSuccess()
        }
        #expect(!health.isEjected(now: start))
    }
}
