import AccountsDomain
import AsyncHTTPClient
import Foundation
import NIOCore
import TestKit
import Testing

@testable import AccountsService

@Suite("Text messages by Twilio")
struct TwilioTransportTests {
    private static func with(
        timeout: Int64 = 20,
        _ body: @Sendable (_ transport: Transport<SMS>, _ server: StripeServer) async throws -> Void
    ) async throws {
        try await StripeServer.with { server in
            try await with(server.url, timeout: timeout) { try await body($0, server) }
        }
    }

    private static func with(
        _ url: String, timeout: Int64, _ body: @Sendable (_ transport: Transport<SMS>) async throws -> Void
    ) async throws {
        let setting = "twilio://AC123:t%40k@api.twilio.com?from=+15005550006&base=\(url)"
        let account = try #require(TwilioAccount(setting))
        let client = HTTPClient(configuration: .init(redirectConfiguration: .disallow))
        let transport = TwilioTransport(account: account, client: client, timeout: timeout).transport
        do {
            try await body(transport)
        } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    private static let sms = SMS(
        delivery: .test(3), to: "2125550143", body: "Tech Heroes: 2+2 = 4 & more, 👋", date: Instant(microseconds: 0))

    private static func failure(_ transport: Transport<SMS>) async -> DeliveryFailure? {
        do {
            try await transport.send(sms)
            return nil
        } catch {
            return error as? DeliveryFailure ?? DeliveryFailure(reason: "\(error)", isPermanent: true)
        }
    }

    @Test("A message is posted as Twilio's reference says")
    func posts() async throws {
        try await Self.with { transport, server in
            server.answers { _ in .json(201, #"{"sid": "SM1", "status": "queued"}"#) }
            #expect(await Self.failure(transport) == nil)
            let asked = try #require(server.asked.first)
            #expect(server.asked.count == 1 && asked.method == "POST")
            #expect(asked.path == "/2010-04-01/Accounts/AC123/Messages.json")
            #expect(asked.form == ["To": "+12125550143", "From": "+15005550006", "Body": Self.sms.body])
            #expect(asked.headers["authorization"] == ["Basic \(Data("AC123:t@k".utf8).base64EncodedString())"])
            #expect(asked.headers["content-type"] == ["application/x-www-form-urlencoded"])
        }
    }

    static let answers: [(Int, String, DeliveryFailure)] = [
        (
            400, #"{"code": 21211, "message": "The 'To' number +12125550143 is not valid.", "status": 400}"#,
            DeliveryFailure(reason: "twilio 400 (21211)", isPermanent: true)
        ),
        (401, #"{"code": 20003}"#, DeliveryFailure(reason: "twilio 401 (20003)", isPermanent: true)),
        (404, "not JSON", DeliveryFailure(reason: "twilio 404", isPermanent: true)),
        (429, #"{"code": 20429}"#, DeliveryFailure(reason: "twilio 429 (20429)", isPermanent: false)),
        (500, "", DeliveryFailure(reason: "twilio 500", isPermanent: false)),
        (503, #"{"code": "x"}"#, DeliveryFailure(reason: "twilio 503", isPermanent: false)),
        (302, "", DeliveryFailure(reason: "twilio 302", isPermanent: false)),
    ]

    @Test("An answer says whether to try again, in numbers only", arguments: answers)
    func classification(status: Int, body: String, expected: DeliveryFailure) async throws {
        try await Self.with { transport, server in
            server.answers { _ in .json(status, body, ["location": "/elsewhere"]) }
            #expect(await Self.failure(transport) == expected)
            #expect(server.asked.count == 1)
        }
    }

    @Test("Twilio may say how long to wait")
    func retryAfter() async throws {
        try await Self.with { transport, server in
            server.answers { _ in .json(429, "{}", ["retry-after": "17"]) }
            #expect(await Self.failure(transport)?.retryAfter == .seconds(17))
        }
        let now: Int64 = 784_111_777
        #expect(RetryAfter.duration("120", now: now) == .seconds(120))
        #expect(RetryAfter.duration("Sun, 06 Nov 1994 08:50:37 GMT", now: now) == .seconds(60))
        #expect(RetryAfter.duration("Sun, 06 Nov 1994 08:48:37 GMT", now: now) == .zero)
        #expect(RetryAfter.duration("99999999999999", now: now) == .seconds(86_400))
        for bad in ["", "-1", "soon", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "1.5"] {
            #expect(RetryAfter.duration(bad, now: now) == nil)
        }
    }

    @Test("What breaks off, stays silent or isn't there is tried again, without a word of the message")
    func broken() async throws {
        try await Self.with(timeout: 1) { transport, server in
            for reply in [StripeServer.Reply.hangUp, .silence] {
                server.answers { _ in reply }
                let failure = try #require(await Self.failure(transport))
                #expect(!failure.isPermanent && failure.reason.hasPrefix("twilio: "))
                #expect(!failure.reason.contains("2125550143") && !failure.reason.contains("127.0.0.1"))
            }
        }
        let setting = "twilio://AC123:tok@api.twilio.com?from=+15005550006&base=http://127.0.0.1:1"
        let transport = TwilioTransport(account: try #require(TwilioAccount(setting)), client: .shared, timeout: 1)
        #expect(await Self.failure(transport.transport)?.isPermanent == false)
    }

    @Test("An answer of success is one, also when the rest of it never comes")
    func brokenSuccess() async throws {
        try await Self.with { transport, server in
            server.answers { _ in .broken }
            #expect(await Self.failure(transport) == nil)
        }
    }

    @Test("What has been accepted is sent, once, and nobody waits for the rest of the answer")
    func stuckSuccess() async throws {
        let answer = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"
        try await StuckServer.with(answer) { server in
            try await Self.with(server.url, timeout: 60) { transport in
                let start = ContinuousClock.now
                #expect(await Self.failure(transport) == nil)
                #expect(ContinuousClock.now - start < .seconds(20))
                // Nor is the connection kept for it.
                try await eventually("closed") { server.connections.closed == 1 }
                #expect(server.connections.answered == 1)
            }
        }
    }

    @Test("The reason of a refusal is waited for no longer than the answer may take")
    func stuckRefusal() async throws {
        let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 17\r\ncontent-length: 1000\r\n\r\n{\"code\": 20429"
        try await StuckServer.with(answer) { server in
            try await Self.with(server.url, timeout: 1) { transport in
                let start = ContinuousClock.now
                let failure = try #require(await Self.failure(transport))
                #expect(ContinuousClock.now - start < .seconds(8))
                #expect(!failure.isPermanent)
                #expect(failure.reason == "twilio 429" && failure.retryAfter == .seconds(17))
                try await eventually("closed") { server.connections.closed == server.connections.answered }
            }
        }
    }
}
