import Dispatch
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

@testable import ServiceKit

/// How connections are used and how they end.
@Suite struct ConnectionTests {
    private static let fast = Route(.get, "/fast", access: .public) { _ in .text(.ok, "fast") }

    @Test func `each answer has the date`() async throws {
        try await TestService.with([Self.fast]) { service in
            let date = try #require(try await service.send("GET", "/fast")["date"])
            #expect(date.wholeMatch(of: /[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/) != nil)
            #expect(try await service.send("GET", "/nothing")["date"] != nil)
        }
        // The example of RFC 9110, section 5.6.7.
        #expect(HTTPDate.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test func `handlers run where they are told to`() async throws {
        final class Runner: TaskExecutor {
            let queue = DispatchQueue(label: "handlers")
            let key = DispatchSpecificKey<Bool>()

            init() { queue.setSpecific(key: key, value: true) }

            func enqueue(_ job: consuming ExecutorJob) {
                let job = UnownedJob(job)
                queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
            }

            var isHere: Bool { DispatchQueue.getSpecific(key: key) == true }
        }
        let runner = Runner()
        let routes = [HTTPRequest.Method.get, .post, .delete].map { method in
            Route(method, "/place", access: .public) { _ in
                let before = runner.isHere
                try await Task.sleep(for: .milliseconds(1))
                return .text(.ok, "\(before) \(runner.isHere)")
            }
        }
        for (executor, place) in [(nil, "false false"), (runner, "true true")] {
            try await TestService.with(routes, executor: executor) { service in
                for method in ["GET", "POST", "DELETE"] {
                    #expect(try await service.send(method, "/place").text == place)
                }
                #expect(try await service.send("HEAD", "/place").status == 200)
                try expectProblem(try await service.send("GET", "/nothing"), .notFound)
            }
        }
    }

    @Test func `a client that says close gets one answer and the end`() async throws {
        try await TestService.with([Self.fast]) { service in
            for field in ["connection: close", "Connection: TE, Close"] {
                let wire = try await Wire(port: service.port)
                let request = TestService.request("GET", "/fast", fields: [field])
                try await wire.send(request + TestService.request("GET", "/fast"))
                let answer = try #require(try await wire.answer())
                #expect(answer.text == "fast")
                #expect(answer["connection"] == "close")
                #expect(try await wire.isEnded())
            }
        }
    }

    @Test func `a client that has no more to ask is still answered`() async throws {
        let gate = Gate()
        let slow = Route(.get, "/slow", access: .public) { _ in
            await gate.pass()
            return .text(.ok, "done")
        }
        try await TestService.with([Self.fast, slow]) { service in
            let wire = try await Wire(port: service.port)
            try await wire.send(TestService.request("GET", "/slow") + TestService.request("GET", "/fast"))
            try await wire.endSending()
            await gate.waitUntilEntered()
            gate.open()
            #expect(try await wire.answer()?.text == "done")
            #expect(try await wire.answer()?.text == "fast")
            #expect(try await wire.isEnded())
            // One that asks nothing at all.
            let silent = try await Wire(port: service.port)
            try await silent.endSending()
            #expect(try await silent.isEnded())
        }
    }

    @Test func `a large answer is whole for a client that has no more to ask`() async throws {
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 8_000_000)
        let routes = [(1, "/large"), (200, "/middle")].map { divisor, path in
            Route(.get, path, access: .public) { _ in
                .json(.ok, ByteBuffer(repeating: UInt8(ascii: "x"), count: piece.readableBytes / divisor))
            }
        }
        try await TestService.with(routes) { service in
            let wire = try await Wire(port: service.port)
            try await wire.send(TestService.request("GET", "/large"))
            try await wire.endSending()
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await wire.answer()?.body.count == piece.readableBytes)
            #expect(try await wire.isEnded())
            // Many that the sockets do not hold all, and the end behind them.
            let many = try await Wire(port: service.port)
            try await many.send(String(repeating: TestService.request("GET", "/middle"), count: 300))
            try await many.endSending()
            try await Task.sleep(for: .milliseconds(100))
            for _ in 1...300 { #expect(try await many.answer()?.body.count == piece.readableBytes / 200) }
            #expect(try await many.isEnded())
        }
    }

    @Test func `what cannot be parsed may come in many pieces`() async throws {
        let gate = Gate()
        let slow = Route(.get, "/slow", access: .public) { _ in
            await gate.pass()
            return .text(.ok, "done")
        }
        try await TestService.with([slow]) { service in
            let endless = try await Wire(port: service.port)
            let part = String(repeating: "x", count: 50_000)
            // It is read piece by piece, whatever is sent at once.
            try await endless.send("GET / HTTP/1.1\r\nx: " + String(repeating: part, count: 6))
            try expectProblem(try #require(try await endless.answer()), .badRequest)
            // Behind a request that is being answered.
            let wire = try await Wire(port: service.port)
            try await wire.send(TestService.request("GET", "/slow"))
            await gate.waitUntilEntered()
            for _ in 1...5 {
                try await wire.send("nonsense\r\n\r\n")
                try await Task.sleep(for: .milliseconds(20))
            }
            gate.open()
            #expect(try await wire.answer()?.text == "done")
            try expectProblem(try #require(try await wire.answer()), .badRequest)
            #expect(try await wire.isEnded())
        }
    }

    @Test func `who asks for another protocol is answered in this one, as the last`() async throws {
        try await TestService.with([Self.fast]) { service in
            let wire = try await Wire(port: service.port)
            try await wire.send(
                TestService.request("GET", "/fast", fields: ["connection: upgrade", "upgrade: h2c"])
                    + TestService.request("GET", "/fast"))
            let answer = try #require(try await wire.answer())
            #expect(answer.text == "fast")
            #expect(answer["connection"] == "close")
            #expect(try await wire.isEnded())
        }
    }

    @Test func `a request that is not whole when the process ends is given up`() async throws {
        let wasRun = Mutex(false)
        let route = Route(.post, "/ring", access: .public) { _ in
            wasRun.withLock { $0 = true }
            return .empty()
        }
        try await TestService.with([Self.fast, route], shutdownLimit: .seconds(1)) { service in
            // What comes in one piece with a request that was answered has been read.
            let whole = TestService.request("GET", "/fast")
            let head = try await Wire(port: service.port)
            try await head.send(whole + "GET / HTTP/1.1\r\nhost")
            let body = try await Wire(port: service.port)
            try await body.send(whole + String(TestService.request("POST", "/ring", body: #"{"a":1}"#).dropLast(7)))
            #expect(try await head.answer()?.text == "fast")
            #expect(try await body.answer()?.text == "fast")
            await service.group.triggerGracefulShutdown()
            #expect(try await head.isEnded())
            try expectProblem(try #require(try await body.answer()), .temporarilyUnavailable)
            #expect(try await body.isEnded())
        }
        #expect(!wasRun.withLock { $0 })
    }

    @Test func `a request is refused before its body has come, and the next one is read behind it`() async throws {
        try await TestService.with(Things.routes) { service in
            let wire = try await Wire(port: service.port)
            let text = TestService.request("POST", "/nothing", body: #"{"name":"x"}"#)
            try await wire.send(String(text.dropLast(5)))
            #expect(try await wire.answer()?.status == 404)
            try await wire.send(String(text.suffix(5)) + TestService.request("GET", "/api/v1/things/7"))
            #expect(try await wire.answer()?.text == #"{"id":7}"#)
            let untyped = TestService.request(
                "POST", "/api/v1/things", fields: ["content-type: text/plain"], body: "12345")
            try await wire.send(String(untyped.dropLast(5)))
            #expect(try await wire.answer()?.status == 415)
        }
    }

    @Test func `a body may come byte by byte`() async throws {
        try await TestService.with(Things.routes) { service in
            let wire = try await Wire(port: service.port)
            for _ in 1...2 {
                for byte in TestService.request("POST", "/api/v1/things", body: #"{"name":"x"}"#).utf8 {
                    try await wire.send([byte])
                }
                #expect(try await wire.answer()?.text == #"{"name":"x"}"#)
            }
        }
    }

    @Test func `a body that ends with its connection is not taken for a whole one`() async throws {
        let count = Atomic(0)
        let route = Route(.post, "/count", access: .public) { _ in
            count.add(1, ordering: .relaxed)
            return .empty()
        }
        try await TestService.with([route]) { service in
            let text = TestService.request("POST", "/count", body: #"{"name":"x"}"#)
            for dropped in [1, 12] {
                let wire = try await Wire(port: service.port)
                try await wire.send(String(text.dropLast(dropped)))
                try await wire.endSending()
                let answer = try #require(try await wire.answer())
                try expectProblem(answer, .badRequest)
                #expect(answer["connection"] == "close")
                #expect(try await wire.isEnded())
            }
        }
        let begun = count.load(ordering: .relaxed)
        #expect(begun == 0)
    }

    @Test func `who sends and does not read is not answered without end`() async throws {
        let count = Atomic(0)
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 200_000)
        let route = Route(.get, "/large", access: .public) { _ in
            count.add(1, ordering: .relaxed)
            return .json(.ok, piece)
        }
        let requests = 300
        try await TestService.with([route]) { service in
            let wire = try await Wire(port: service.port)
            let text = String(repeating: TestService.request("GET", "/large"), count: requests)
            async let sent: Void = wire.send(text)
            // What the sockets hold, some MB, and one more.
            var last = -1
            try await eventually("it waits for the client") {
                let now = count.load(ordering: .relaxed)
                defer { last = now }
                try await Task.sleep(for: .milliseconds(300))
                return now > 0 && now == last
            }
            #expect(last < requests / 2)
            for _ in 1...requests { #expect(try await wire.answer()?.body.count == piece.readableBytes) }
            try await sent
        }
        let answered = count.load(ordering: .relaxed)
        #expect(answered == requests)
    }

    @Test func `an idle connection is closed, and so is one whose client does not read or never ends a request`()
        async throws
    {
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 8_000_000)
        let large = Route(.get, "/large", access: .public) { _ in .json(.ok, piece) }
        try await TestService.with([Self.fast, large], idleTimeout: .seconds(1)) { service in
            let idle = try await Wire(port: service.port)
            try await idle.send(TestService.request("GET", "/fast"))
            #expect(try await idle.answer()?.text == "fast")
            let endless = try await Wire(port: service.port)
            try await endless.send("GET / HTTP/1.1\r\nhost")
            #expect(try await idle.isEnded())
            #expect(try await endless.isEnded())
            try await eventually(within: .seconds(60), "an answer breaks off") {
                let reader = try await Wire(port: service.port)
                try await reader.send(TestService.request("GET", "/large"))
                try await Task.sleep(for: .seconds(3))
                return (try? await reader.answer()) == nil
            }
        }
    }

    @Test func `a request whose client has gone is finished before what it needs goes`() async throws {
        let order = Mutex<[String]>([])
        let gate = Gate()
        let route = Route(.get, "/slow", access: .public) { _ in
            await gate.pass()
            order.withLock { $0.append(Task.isCancelled ? "cancelled" : "request") }
            return .empty()
        }
        let part = Part { order.withLock { $0.append("part") } }
        try await TestService.with([route], services: [part]) { service in
            var wire: Wire? = try await Wire(port: service.port)
            try await wire?.send(TestService.request("GET", "/slow"))
            await gate.waitUntilEntered()
            wire = nil
            await service.group.triggerGracefulShutdown()
            try await eventually("it no longer accepts") { (try? await Wire(port: service.port)) == nil }
            gate.open()
        }
        #expect(order.withLock { $0 } == ["request", "part"])
    }

    @Test func `a request that takes longer than a process may take to end is cancelled`() async throws {
        let gate = Gate()
        let isCancelled = Atomic(false)
        let route = Route(.get, "/slow", access: .public) { _ in
            gate.enter()
            try? await Task.sleep(for: .seconds(60))
            isCancelled.store(Task.isCancelled, ordering: .relaxed)
            return .text(.ok, "late")
        }
        try await TestService.with([route], shutdownLimit: .seconds(1)) { service in
            let wire = try await Wire(port: service.port)
            try await wire.send(TestService.request("GET", "/slow"))
            await gate.waitUntilEntered()
            let idle = try await Wire(port: service.port)
            await service.group.triggerGracefulShutdown()
            #expect(try await idle.isEnded())
            #expect(try await wire.answer()?["connection"] == "close")
            #expect(try await wire.isEnded())
        }
        let wasCancelled = isCancelled.load(ordering: .relaxed)
        #expect(wasCancelled)
    }
}
