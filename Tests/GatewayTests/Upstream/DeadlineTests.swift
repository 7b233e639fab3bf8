import NIOCore
import Synchronization
import TestKit
import Testing

@testable import GatewayService

@Suite("Upstreams that take their time") struct DeadlineTests {
    private static let path = "/api/v1/heroes/1"

    @Test func `one that never answers is 504 within the deadline`() async throws {
        let ended = Mutex(false)
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.waitForEnd(within: .minutes(1))
            ended.withLock { $0 = true }
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.limits.firstByte = .milliseconds(300) }) {
            gateway in
            let clock = ContinuousClock()
            let began = clock.now
            let got = try await gateway.ask(request("GET", Self.path))
            #expect(got?.status == 504)
            #expect(got?.code == "upstream_timeout")
            #expect(clock.now - began < .seconds(5))
            // The upstream is not left with it.
            try await eventually("the end of the upstream's connection") { ended.withLock { $0 } }
        }
    }

    @Test func `one that stalls within its answer is cut off`() async throws {
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
            try await connection.waitForEnd(within: .minutes(1))
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.limits.idle = .milliseconds(300) }) { gateway in
            let client = try await gateway.connect()
            try await client.send(request("GET", Self.path))
            let text = try await client.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 200"))
            #expect(text.hasSuffix("begun"))
        }
    }

    @Test func `one that drips is cut off at the deadline of the whole`() async throws {
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while try await !connection.hasEnded {
                try await connection.send("1\r\nx\r\n")
                _ = try? await connection.read(1, within: .milliseconds(20))
            }
            return .close
        }
        // It must come to drip before a machine that stands still has used up the time.
        try await RunningGateway.with(heroes: [upstream.port], { $0.limits.request = .seconds(6) }) { gateway in
            let client = try await gateway.connect()
            try await client.send(request("GET", Self.path))
            let text = try await client.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 200"))
            #expect(!text.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test func `an address that takes no connection is 502 before the deadline of the request`() async throws {
        // Listens and accepts nothing, with its queue full: a SYN gets no answer.
        let (port, full) = try await Deaf.listen()
        defer { full.close() }
        try await RunningGateway.with(heroes: [port], { $0.limits.connect = .milliseconds(200) }) { gateway in
            let got = try await gateway.ask(request("POST", Self.path, body: "{}"))
            #expect(got?.status == 502 || got?.status == 503)
        }
    }

    @Test func `one slow service does not starve the others`() async throws {
        let slow = try await StubUpstream.start { _, connection in
            try await connection.waitForEnd(within: .minutes(1))
            return .close
        }
        let quick = try await StubUpstream.start(answering: "quick")
        try await RunningGateway.with(accounts: [quick.port], heroes: [slow.port]) { gateway in
            var stuck: [RawConnection] = []
            for _ in 0..<200 {
                let client = try await gateway.connect()
                try await client.send(request("GET", Self.path))
                stuck.append(client)
            }
            try await eventually("200 requests that wait") { slow.heads.count == 200 }
            for _ in 0..<50 {
                let got = try await gateway.ask(request("GET", "/api/v1/accounts/profile"), within: .seconds(5))
                #expect(got?.body == "quick")
            }
            for client in stuck { await client.close() }
        }
    }

    @Test func `one slow replica does not hold up what another could answer`() async throws {
        let slow = try await StubUpstream.start { _, connection in
            try await connection.waitForEnd(within: .minutes(1))
            return .close
        }
        let quick = try await StubUpstream.start(answering: "quick")
        try await RunningGateway.with(heroes: [slow.port, quick.port]) { gateway in
            var stuck: [RawConnection] = []
            // With the load of two compared, those that wait weigh against the slow one.
            for _ in 0..<40 {
                let client = try await gateway.connect()
                try await client.send(request("GET", Self.path))
                stuck.append(client)
            }
            try await eventually("requests that wait") { slow.heads.count + quick.heads.count == 40 }
            let waiting = slow.heads.count
            #expect(waiting < 30)
            for client in stuck { await client.close() }
        }
    }

    @Test func `what may be in flight at one address is bounded`() async throws {
        let slow = try await StubUpstream.start { _, connection in
            try await connection.waitForEnd(within: .minutes(1))
            return .close
        }
        try await RunningGateway.with(
            heroes: [slow.port],
            {
                $0.threads = 1
                $0.limits.requestsPerUpstream = 4
                $0.limits.checkInterval = .hours(1)
            }
        ) { gateway in
            var stuck: [RawConnection] = []
            // What the gateway asks for itself takes a place for a moment, and a client is refused then.
            for _ in 0..<40 where slow.heads.count < 4 {
                let waiting = slow.heads.count
                let client = try await gateway.connect()
                try await client.send(request("GET", Self.path))
                stuck.append(client)
                try await eventually("one more that waits, or is refused") {
                    let answered = try await client.received
                    return answered > 0 || slow.heads.count > waiting
                }
            }
            try #require(slow.heads.count == 4)
            let got = try await gateway.ask(request("GET", Self.path))
            #expect(got?.status == 503)
            #expect(got?["retry-after"] != nil)
            for client in stuck { await client.close() }
        }
    }

    @Test func `a client that is slow with its head is told so`() async throws {
        try await RunningGateway.with({ $0.limits.head = .milliseconds(300) }) { gateway in
            let client = try await gateway.connect()
            try await client.send("GET / HTTP/1.1\r\nhost: te")
            let got = try await client.readAnswer()
            #expect(got?.status == 408)
            #expect(got?["connection"] == "close")
            try await client.waitForEnd()
        }
    }

    @Test func `a client that is slow with its body is told so, and its upstream is not kept`() async throws {
        let upstream = try await StubUpstream.start { head, connection in
            _ = try await connection.readBody(head)
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.limits.idle = .milliseconds(300) }) { gateway in
            let client = try await gateway.connect()
            try await client.send("POST \(Self.path) HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf")
            let got = try await client.readAnswer()
            #expect(got?.status == 408)
            try await client.waitForEnd()
        }
    }

    @Test func `an idle connection is closed in time`() async throws {
        try await RunningGateway.with({ $0.limits.keepAlive = .seconds(1) }) { gateway in
            // If the machine stands still before the request is sent, the connection is closed by then.
            let client = try await eventually("an answer") { () async throws -> RawConnection? in
                let client = try await gateway.connect()
                return try await client.ask(request("GET", "/health/live"))?.status == 200 ? client : nil
            }
            try await client.waitForEnd()
            let silent = try await gateway.connect()
            try await silent.waitForEnd()
        }
    }
}
