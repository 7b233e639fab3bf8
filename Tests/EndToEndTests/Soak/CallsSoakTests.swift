import Foundation
import TestKit
import Testing

/// A few rounds with `make test`; `make soak` says how many.
@Suite("Two hundred callers who race, through the gateway") struct CallsSoakTests {
    @Test func `what only one can have one gets, and the database holds what was acknowledged`() async throws {
        let rounds = Int(ProcessInfo.processInfo.environment["SOAK_CALLS_ROUNDS"] ?? "") ?? 4
        let soak = try await CallsSoak.start()
        let start = ContinuousClock.now
        for number in 0..<rounds {
            try await soak.round(number)
            // What goes wrong once goes wrong again: the rest would only bury it.
            if !soak.ledger.violations.isEmpty { break }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let ledger = soak.ledger
        #expect(ledger.violations == [])
        let differences = try await ledger.differences(soak.stack)
        let impossible = try await ledger.impossible(soak.stack)
        #expect(differences == 0)
        #expect(impossible.count == 5 && impossible.values.allSatisfy { $0 == 0 }, "\(impossible)")
        // 10 races for a hero and 10 for a customer, with eight requests each, and five for a pair.
        #expect(ledger.requests == rounds * (20 * CallsSoak.racers + 5) && ledger.agreements == rounds * 20)
        print(
            """
            soak: \(rounds) rounds of \(CallsSoak.races * CallsSoak.racers) callers, \(ledger.answers) answers in \
            \(Int(seconds)) s; \(ledger.requests) requests and \(ledger.agreements) agreements acknowledged
            soak: \(ledger.summary), \(ledger.later) told to come back
            soak: otherwise in the database than acknowledged \(differences), \
            \(impossible.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
            """)
        try await soak.stop()
    }
}
