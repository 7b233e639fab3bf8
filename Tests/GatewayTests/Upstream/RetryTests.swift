import NIOCore
import Synchronization
import TestKit
import Testing

@testable import GatewayService

@Suite("What is sent once more, and what is not") struct RetryTests {
    private static let path = "/api/v1/heroes/1"

    @Test func `GET and HEAD are sent again when no answer came`() async throws {
        for method in ["GET", "HEAD"] {
            let seen = Mutex(0)
            let upstream = try await StubUpstream.start { _, connection in
                let number = seen.withLock { seen in
                    seen += 1
                    return seen
                }
                guard number > 2 else { return number == 1 ? .close : .reset }
                try await connection.send(
                    method == "HEAD" ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" : StubAnswer.ok)
                return .keep
            }
            try await RunningGateway.with(heroes: [upstream.port]) { gateway in
                let got = try await gateway.ask(request(method, Self.path))
                #expect(got?.status == 200)
            }
            #expect(upstream.heads.count == 3)
        }
    }

    @Test func `not for ever`() async throws {
        let upstream = try await StubUpstream.start { _, _ in .close }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let got = try await gateway.ask(request("GET", Self.path))
            #expect(got?.status == 502)
            #expect(got?.code == "upstream_unreachable")
        }
        #expect(upstream.heads.count == ClientConnection.maximumAttempts)
    }

    @Test(arguments: ["POST", "PATCH", "PUT", "DELETE"], [false, true])
    func `what changes something is sent once`(method: String, resets: Bool) async throws {
        let upstream = try await StubUpstream.start { _, _ in resets ? .reset : .close }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let got = try await gateway.ask(request(method, Self.path, body: "{}"))
            #expect(got?.status == 502)
            #expect(got?.code == "upstream_unreachable")
        }
        #expect(upstream.heads.count == 1)
    }

    @Test func `a GET with a body is sent once`() async throws {
        let upstream = try await StubUpstream.start { _, _ in .close }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let got = try await gateway.ask(request("GET", Self.path, body: "{}"))
            #expect(got?.status == 502)
        }
        #expect(upstream.heads.count == 1)
    }

    @Test func `nothing is sent again once an answer has begun`() async throws {
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send("HTTP/1.1 200 O")
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let got = try await gateway.ask(request("GET", Self.path))
            #expect(got?.status == 502)
        }
        #expect(upstream.heads.count == 1)
    }

    @Test(arguments: ["GET", "POST"])
    func `a connection that was never made is tried elsewhere, for any method`(method: String) async throws {
        let upstream = try await StubUpstream.start(answering: "ok")
        let nobody = try freePort()
        // Never checked, so that each request finds out by itself.
        try await RunningGateway.with(heroes: [nobody, upstream.port], { $0.limits.checkInterval = .hours(1) }) {
            gateway in
            for _ in 0..<20 {
                let text = method == "GET" ? request("GET", Self.path) : request("POST", Self.path, body: "{}")
                let got = try await gateway.ask(text)
                #expect(got?.status == 200)
            }
        }
    }

    @Test func `where nobody listens it is 502`() async throws {
        try await RunningGateway.with { gateway in
            let got = try await gateway.ask(request("POST", Self.path, body: "{}"))
            #expect(got?.status == 502)
            #expect(got?.code == "upstream_unreachable")
        }
    }

    /// The connection is closed by the service while it is idle: the gateway must not put a POST on it.
    @Test func `a POST is not lost on a connection that has gone stale`() async throws {
        let upstream = try await StubUpstream.start { head, connection in
            if let length = head["content-length"].flatMap({ Int($0) }) { _ = try await connection.read(length) }
            // Says that it stays, and goes.
            try await connection.send(StubAnswer.ok)
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            let client = try await gateway.connect()
            for number in 0..<30 {
                let read = try await client.ask(request("GET", Self.path))
                #expect(read?.status == 200)
                // While it is open nobody can know that it is about to go.
                try await eventually("the connection closed") { upstream.closed > 2 * number }
                let written = try await client.ask(request("POST", Self.path, body: "{}"))
                #expect(written?.status == 200)
                try await eventually("the connection closed") { upstream.closed > 2 * number + 1 }
            }
        }
        #expect(upstream.heads.filter { $0.method == "POST" }.count == 30)
    }

    @Test func `a GET survives a connection that ends as it is used again`() async throws {
        // Kept, so that no later connection goes by an earlier one's identity.
        let answered = Mutex<[ObjectIdentifier: RawConnection]>([:])
        let upstream = try await StubUpstream.start { _, connection in
            guard answered.withLock({ $0.updateValue(connection, forKey: ObjectIdentifier(connection)) == nil }) else {
                return .close
            }
            try await connection.send(StubAnswer.ok)
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            let client = try await gateway.connect()
            for _ in 0..<20 {
                let got = try await client.ask(request("GET", Self.path))
                #expect(got?.status == 200)
            }
        }
        // Each second one met a connection that ended, and was sent again.
        #expect(upstream.heads.count > 20)
    }

    @Test func `a POST that meets such a connection is not sent again`() async throws {
        // By requests, not connections: a check of its health may have the one that was kept.
        let seen = Mutex(0)
        let upstream = try await StubUpstream.start { head, connection in
            _ = try await connection.readBody(head)
            let number = seen.withLock { seen in
                seen += 1
                return seen
            }
            guard number == 1 else { return .close }
            try await connection.send(StubAnswer.ok)
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            let text = request("POST", Self.path, body: "{}")
            let first = try await gateway.ask(text)
            #expect(first?.status == 200)
            let second = try await gateway.ask(text)
            #expect(second?.status == 502)
            #expect(upstream.heads.count == 2)
        }
    }
}
