import Foundation
import Postgres
import TestKit
import Testing

/// Real processes, killed and cut off while they publish and read. `make soak` runs it with many more events.
@Suite struct SoakTests {
    @Test func `whatever dies, no event is lost, none takes effect twice, and a subject's are in order`() async throws {
        let environment = ProcessInfo.processInfo.environment
        let count = Int(environment["SOAK_EVENTS"] ?? "") ?? 3000
        let rate = Int(environment["SOAK_RATE"] ?? "") ?? 500
        let soak = try await Soak.start(rate: rate)
        let start = ContinuousClock.now
        let faults = try await soak.disturb(until: count)
        let written = ContinuousClock.now - start
        try await soak.stopWriting()
        let total = try await soak.count("source.outbox")
        var figures: [String] = []
        for reader in Soak.readers {
            try await soak.settle(reader, total: total)
            let report = try await soak.report(reader)
            #expect(
                report.lost == 0 && report.twice == 0 && report.disordered == 0 && report.parked == 0,
                "\(reader): \(report)")
            figures.append("\(reader): \(report)")
        }
        let gapless = try await soak.value(
            "SELECT count(*) FILTER (WHERE position IS NULL) || ' ' || max(position) FROM source.outbox")
        #expect(gapless == "0 \(total)")
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print(
            """
            soak: \(total) events, written within \(Int(written / .seconds(1))) s, all in effect after \(Int(seconds)) s
            soak: faults: \(faults.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
            \(figures.map { "soak: \($0)" }.joined(separator: "\n"))
            """)
        #expect(total >= count)
        try await soak.stop()
    }
}
