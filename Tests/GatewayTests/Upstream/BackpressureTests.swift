import NIOCore
import Synchronization
import TestKit
import Testing

@testable import GatewayService

@Suite("Bodies larger than anyone's buffer") struct BackpressureTests {
    private static let path = "/api/v1/heroes/1"
    private static let pieces = 1024
    /// 64 KiB of text.
    private static let piece = String(repeating: "0123456789abcdef", count: 4096)
    /// What two sockets' buffers on each side and the gateway may hold together. The system grows a buffer to 6 MB.
    private static let bound = 30 * 1024 * 1024

    @Test(arguments: [false, true])
    func `a client that does not read holds up the upstream, and then gets everything`(isChunked: Bool) async throws {
        let written = Mutex(0)
        let upstream = try await StubUpstream.start { _, connection in
            let length = Self.pieces * Self.piece.utf8.count
            try await connection.send(
                "HTTP/1.1 200 OK\r\n"
                    + (isChunked ? "transfer-encoding: chunked" : "content-length: \(length)") + "\r\n\r\n")
            for _ in 0..<Self.pieces {
                if isChunked { try await connection.send("10000\r\n") }
                try await connection.send(Self.piece)
                if isChunked { try await connection.send("\r\n") }
                written.withLock { $0 += Self.piece.utf8.count }
            }
            if isChunked { try await connection.send("0\r\n\r\n") }
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let client = try await gateway.connect()
            try await client.pauseReading()
            try await client.send(request("GET", Self.path))
            let stuck = try await Self.settled { written.withLock { $0 } }
            #expect(stuck < Self.bound)
            #expect(stuck < Self.pieces * Self.piece.utf8.count)
            try await client.resumeReading()
            let got = try await client.readAnswer(within: .minutes(1))
            #expect(got?.body.utf8.count == Self.pieces * Self.piece.utf8.count)
            #expect(got?.body.hasPrefix(Self.piece) == true)
            // The connection is good for more.
            #expect(try await gateway.ask(request("GET", "/health/live"))?.status == 200)
        }
    }

    @Test(arguments: [false, true])
    func `an upstream that does not read holds up the client, and then gets everything`(isChunked: Bool) async throws {
        let (opened, gate) = AsyncStream<Void>.makeStream()
        let upstream = try await StubUpstream.start { head, connection in
            try await connection.pauseReading()
            for await _ in opened { break }
            try await connection.resumeReading()
            let body = try await connection.readBody(head, within: .minutes(1))
            try await connection.send(answer(200, "\(body.utf8.count) \(body.hasPrefix(Self.piece))"))
            return .keep
        }
        try await RunningGateway.with(
            heroes: [upstream.port],
            {
                $0.limits.bodyBytes = 1 << 30
                $0.limits.idle = .minutes(1)
            }
        ) { gateway in
            let length = Self.pieces * Self.piece.utf8.count
            let client = try await gateway.connect()
            try await client.send(
                "POST \(Self.path) HTTP/1.1\r\nhost: test\r\n"
                    + (isChunked ? "transfer-encoding: chunked" : "content-length: \(length)") + "\r\n\r\n")
            let written = Mutex(0)
            async let sending: Void = {
                for _ in 0..<Self.pieces {
                    try await client.send(isChunked ? "10000\r\n\(Self.piece)\r\n" : Self.piece)
                    written.withLock { $0 += Self.piece.utf8.count }
                }
                if isChunked { try await client.send("0\r\n\r\n") }
            }()
            let stuck = try await Self.settled { written.withLock { $0 } }
            #expect(stuck < Self.bound)
            gate.finish()
            try await sending
            #expect(try await client.readAnswer(within: .minutes(1))?.body == "\(length) true")
        }
    }

    /// What it has been answered waits in the gateway, and must not wait there without end.
    @Test(arguments: [false, true])
    func `a client that asks and asks and reads nothing is not answered for ever`(isHalfClosed: Bool) async throws {
        let requests = 2000
        let answered = Mutex(0)
        let half = String(Self.piece.prefix(32 * 1024))
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send(answer(200, half))
            answered.withLock { $0 += 1 }
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.limits.idle = .minutes(1) }) { gateway in
            let client = try await gateway.connect()
            try await client.pauseReading()
            try await client.send(String(repeating: request("GET", Self.path), count: requests))
            if isHalfClosed { try await client.finish() }
            let stuck = try await Self.settled { answered.withLock { $0 } }
            #expect(stuck * half.utf8.count < Self.bound)
            #expect(stuck < requests)
            try await client.resumeReading()
            for _ in 0..<requests {
                #expect(try await client.readAnswer(within: .minutes(1))?.body.utf8.count == half.utf8.count)
            }
            if isHalfClosed { try await client.waitForEnd() }
        }
    }

    /// A number that no longer grows.
    private static func settled(_ number: @escaping @Sendable () -> Int) async throws -> Int {
        var last = -1
        var quiet = 0
        return try await eventually(within: .seconds(60), "a standstill") {
            let now = number()
            quiet = now == last && now > 0 ? quiet + 1 : 0
            last = now
            return quiet > 20 ? now : nil
        }
    }

    @Test func `a client that reads nothing for too long is cut off`() async throws {
        let ended = Mutex(false)
        let upstream = try await StubUpstream.start { _, connection in
            // Writing fails once the gateway has ended the connection.
            defer { ended.withLock { $0 = true } }
            try await connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in 0..<Self.pieces { try await connection.send("10000\r\n\(Self.piece)\r\n") }
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.limits.idle = .milliseconds(300) }) { gateway in
            let client = try await gateway.connect()
            try await client.pauseReading()
            try await client.send(request("GET", Self.path))
            try await eventually("the upstream's connection to end") { ended.withLock { $0 } }
            await client.close()
        }
    }

    @Test func `a client that goes away takes its upstream's work with it`() async throws {
        let ended = Mutex(false)
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.waitForEnd(within: .minutes(1))
            ended.withLock { $0 = true }
            return .close
        }
        for resets in [true, false] {
            ended.withLock { $0 = false }
            try await RunningGateway.with(heroes: [upstream.port]) { gateway in
                let client = try await gateway.connect()
                let before = upstream.heads.count
                try await client.send(request("GET", Self.path))
                try await eventually("the request at the upstream") { upstream.heads.count == before + 1 }
                if resets { await client.reset() } else { await client.close() }
                try await eventually("the end of the upstream's connection") { ended.withLock { $0 } }
            }
        }
    }

    @Test func `a client that goes away within its body takes the request with it`() async throws {
        let whole = Mutex<Bool?>(nil)
        let upstream = try await StubUpstream.start { _, connection in
            let body = try await connection.read(100)
            whole.withLock { $0 = body != nil }
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let client = try await gateway.connect()
            try await client.send("POST \(Self.path) HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nhalf")
            try await eventually("the request at the upstream") { upstream.heads.count == 1 }
            await client.close()
            try await eventually("its end") { whole.withLock { $0 } != nil }
            // The upstream must see that it is not whole.
            #expect(whole.withLock { $0 } == false)
        }
    }
}
