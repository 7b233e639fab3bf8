import Foundation
import NIOCore
import TestKit
import Testing

@testable import AccountsService

@Suite("Stripe that stops in the middle of an answer")
struct StuckStripeTests {
    @Test("An answer that never ends is given up after the same while as none")
    func stuck() async throws {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"
        try await StuckServer.with(answer) { server in
            let payments = StripePayments(
                client: .shared, baseURL: server.url, secretKey: "sk_test", timeout: .milliseconds(500))
            let attempt = PaymentAttempt(id: UUID(), userID: UUID(), method: "pm_1", customer: "cus_1")
            let start = ContinuousClock.now
            await #expect(throws: PaymentsUnavailable.self) { try await payments.confirm(attempt) }
            #expect(ContinuousClock.now - start < .seconds(8))
            try await eventually("closed") { server.connections.closed == server.connections.answered }
        }
    }
}
