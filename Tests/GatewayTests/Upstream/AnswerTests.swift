import Synchronization
import TestKit
import Testing

@Suite("What an upstream answers") struct AnswerTests {
    private static let path = "/api/v1/heroes/1"

    /// One request, to which the upstream writes something.
    private static func ask(
        _ text: String = request("GET", path), _ behaviour: @escaping StubUpstream.Behaviour
    ) async throws -> RawAnswer? {
        let upstream = try await StubUpstream.start(behaviour)
        return try await RunningGateway.with(heroes: [upstream.port]) { try await $0.ask(text) }
    }

    @Test func `an answer that comes byte by byte arrives whole`() async throws {
        let got = try await Self.ask { _, connection in
            try await connection.sendByteByByte(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
            )
            return .keep
        }
        #expect(got?.status == 200)
        #expect(got?["content-type"] == "text/plain")
        #expect(got?.body == "abc0123456789")
    }

    @Test func `status and body pass unchanged, whatever they are`() async throws {
        for status in [200, 201, 202, 206, 301, 302, 400, 404, 418, 429, 500, 503, 599] {
            let got = try await Self.ask { _, connection in
                try await connection.send("HTTP/1.1 \(status) Odd Words\r\ncontent-length: 4\r\n\r\n{}\r\n")
                return .keep
            }
            #expect(got?.status == status)
            #expect(got?.body == "{}\r\n")
        }
    }

    @Test func `an answer without a length ends with its connection`() async throws {
        let got = try await Self.ask { _, connection in
            try await connection.send("HTTP/1.1 200 OK\r\n\r\nto the end")
            return .close
        }
        #expect(got?["transfer-encoding"] == "chunked")
        #expect(got?.body == "to the end")
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nsho",
    ])
    func `a body that is cut short is cut short for the client too`(bytes: String) async throws {
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send(bytes)
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let client = try await gateway.connect()
            try await client.send(request("GET", Self.path))
            let text = try await client.readToEnd()
            if text.hasPrefix("HTTP/1.1 502") { return }
            // Begun, and not ended: neither the length is reached nor the last chunk there.
            #expect(text.hasPrefix("HTTP/1.1 200"))
            #expect(!text.hasSuffix("0\r\n\r\n"))
            #expect(!text.contains("content-length: 5"))
        }
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 05\r\n\r\nhello", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    ])
    func `an answer that two readers could read in two ways is none`(bytes: String) async throws {
        let got = try await Self.ask { _, connection in
            try await connection.send(bytes)
            return .close
        }
        #expect(got?.status == 502)
        #expect(got?.code == "upstream_unreachable")
        #expect(got?["content-type"] == "application/problem+json")
    }

    @Test func `interim answers are the gateway's to handle`() async throws {
        let got = try await Self.ask { _, connection in
            try await connection.send(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n\(StubAnswer.ok)")
            return .keep
        }
        #expect(got?.status == 200)
        #expect(got?["link"] == nil)
        let endless = try await Self.ask { _, connection in
            for _ in 0..<100 { try await connection.send("HTTP/1.1 103 Early Hints\r\n\r\n") }
            return .close
        }
        #expect(endless?.status == 502)
    }

    /// Framing by method and status: if it is mistaken, the next request gets the rest of this answer.
    @Test func `answers without a body leave their connection clean`() async throws {
        let upstream = try await StubUpstream.start { head, connection in
            switch head.target {
            case "/api/v1/heroes/204": try await connection.send("HTTP/1.1 204 No Content\r\n\r\n")
            case "/api/v1/heroes/304":
                try await connection.send("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n")
            case _ where head.method == "HEAD":
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n")
            default: try await connection.send(answer(200, "the answer to \(head.target)"))
            }
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            let client = try await gateway.connect()
            for round in 0..<3 {
                #expect(try await client.ask(request("HEAD", "/api/v1/heroes/h"))?["content-length"] == "77")
                #expect(
                    try await client.ask(request("GET", "/api/v1/heroes/\(round)"))?.body
                        == "the answer to /api/v1/heroes/\(round)")
                #expect(try await client.ask(request("GET", "/api/v1/heroes/204"))?.status == 204)
                #expect(try await client.ask(request("GET", "/api/v1/heroes/304"))?.status == 304)
                #expect(
                    try await client.ask(request("GET", "/api/v1/heroes/x"))?.body == "the answer to /api/v1/heroes/x")
            }
        }
    }

    @Test func `bytes beyond an answer are nobody's answer`() async throws {
        let upstream = try await StubUpstream.start { head, connection in
            try await connection.send(answer(200, head.target) + answer(200, "poison"))
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            for number in 0..<20 {
                let got = try await gateway.ask(request("GET", "/api/v1/heroes/\(number)"))
                #expect(got?.body == "/api/v1/heroes/\(number)")
            }
        }
    }

    @Test func `a body after HEAD is nobody's answer`() async throws {
        let upstream = try await StubUpstream.start { head, connection in
            try await connection.send(answer(200, head.target))
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            for number in 0..<10 {
                #expect(try await gateway.ask(request("HEAD", "/api/v1/heroes/h"))?.status == 200)
                let got = try await gateway.ask(request("GET", "/api/v1/heroes/\(number)"))
                #expect(got?.body == "/api/v1/heroes/\(number)")
            }
        }
    }

    @Test func `an answer that comes unasked is nobody's answer`() async throws {
        let ended = Mutex(0)
        let upstream = try await StubUpstream.start { head, connection in
            try await connection.send(answer(200, head.target))
            guard head.target == "/api/v1/heroes/first" else { return .keep }
            try await connection.send(answer(200, "late poison"))
            try await connection.waitForEnd()
            ended.withLock { $0 += 1 }
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port], { $0.threads = 1 }) { gateway in
            for number in 1...20 {
                let first = try await gateway.ask(request("GET", "/api/v1/heroes/first"))
                #expect(first?.body == "/api/v1/heroes/first")
                // What comes before the next request is known to belong to none.
                try await eventually("the end of that connection") { ended.withLock { $0 } == number }
                let got = try await gateway.ask(request("POST", "/api/v1/heroes/\(number)"))
                #expect(got?.body == "/api/v1/heroes/\(number)")
            }
        }
    }

    /// Many clients on few upstream connections, each of which asks for something of its own.
    @Test func `answers never cross`() async throws {
        let upstream = try await StubUpstream.start { head, connection in
            if let length = head["content-length"].flatMap({ Int($0) }) { _ = try await connection.read(length) }
            let body = String(repeating: "\(head.target)|", count: head.target.count * 7)
            switch head.target.utf8.reduce(0, { ($0 &* 31) &+ Int($1) }) & 3 {
            case 0: try await connection.send(answer(200, body))
            case 1:
                try await connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                try await connection.send(String(body.utf8.count, radix: 16) + "\r\n" + body + "\r\n0\r\n\r\n")
            case 2:
                try await connection.send("HTTP/1.1 200 OK\r\n\r\n" + body)
                return .close
            default:
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n")
                try await connection.send(body)
            }
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<16 {
                    group.addTask {
                        let connection = try await gateway.connect()
                        for number in 0..<30 {
                            let path = "/api/v1/heroes/\(client)-\(number)"
                            let text = number % 3 == 0 ? request("POST", path, body: "{}") : request("GET", path)
                            let got = try await connection.ask(text)
                            #expect(got?.status == 200)
                            #expect(got?.body == String(repeating: "\(path)|", count: path.count * 7))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `an early answer ends what the client still sends`() async throws {
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send(answer(413, "too much"))
            return .close
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let client = try await gateway.connect()
            try await client.send(
                "POST \(Self.path) HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n"
                    + String(repeating: "x", count: 1000))
            let got = try await client.readAnswer()
            #expect(got?.status == 413)
            #expect(got?.body == "too much")
            #expect(got?["connection"] == "close")
            try await client.waitForEnd()
        }
    }
}

/// Answers that more than one test needs.
enum StubAnswer {
    static let ok = answer(200, "ok")
}
