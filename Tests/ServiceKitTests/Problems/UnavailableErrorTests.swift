import Postgres
import ServiceKit
import Testing

@Suite struct UnavailableErrorTests {
    @Test func `what a process cancels because it ends is worth another try, whatever it was at`() {
        #expect(Problem(CancellationError())?.code == .temporarilyUnavailable)
        let error = PostgresError(.cancelled, "cancelled")
        #expect(Problem(error)?.code == .temporarilyUnavailable)
        // Nobody else is to take it for an outage.
        #expect(!error.isUnavailable)
        #expect(Problem(PostgresError(.server, "no", sqlState: "22012")) == nil)
    }
}
