import Foundation
import NIOCore
import TestKit
import Testing

@testable import GatewayService

@Suite("How long a stream lives") struct StreamLifeTests {
    @Test func `signs of life come, and no deadline of a request cuts it`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({
            $0.limits.live.heartbeat = .milliseconds(200)
            $0.limits.request = .seconds(1)
            $0.limits.idle = .seconds(1)
            $0.limits.firstByte = .seconds(1)
            $0.limits.keepAlive = .seconds(1)
        }) { gateway in
            let ada = try await world.signIn()
            // Before it streams, those deadlines count, and a machine may stand still for one.
            let stream = try await eventually("a stream") { try await gateway.listen(as: ada) }
            var beats = 0
            while beats < 20 {
                let block = try #require(try await stream.block())
                #expect(!block.isEvent)
                beats += block.comments
            }
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
        }
    }

    /// Whoever comes back after a quiet time asks only for what came since the last sign of life.
    @Test func `a sign of life carries the present as its id`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({ $0.limits.live.heartbeat = .milliseconds(100) }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            for _ in 0..<3 { try await world.publish("call.requested", to: [UUID()]) }
            try await eventually("an id that has come along") { try await stream.block()?.id?.hasSuffix(".3") == true }
        }
    }

    @Test func `it ends whole when the gateway goes away`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            var streams: [EventStream] = []
            for _ in 0..<8 { streams.append(try await gateway.listen(as: ada)) }
            await gateway.shutDown()
            for stream in streams {
                #expect(try await stream.next() == nil)
                try await stream.connection.waitForEnd()
            }
        }
    }

    @Test func `a client of HTTP 1.0 is told until its connection ends`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let connection = try await gateway.connect()
            let stream = try await EventStream.open(
                connection, "GET /api/v1/events HTTP/1.0\r\nauthorization: \(ada.token.secret)\r\n\r\n")
            #expect(stream.head["transfer-encoding"] == nil)
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
        }
    }

    @Test func `what a client sends after its request is not read as another`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await stream.connection.send(request("GET", "/api/v1/heroes/smuggled"))
            try await stream.connection.send(String(repeating: "x", count: 100_000))
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
            #expect(world.heroes.heads.isEmpty)
        }
    }

    @Test func `a client that half-closes goes on listening`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await stream.connection.finish()
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
        }
    }

    @Test func `a client that does not read costs a buffer, and is dropped`() async throws {
        let world = try await LiveWorld()
        // Longer than the quick client is kept from reading by a machine that stands still.
        try await world.withGateway({ $0.limits.live.stall = .seconds(10) }) { gateway in
            let ada = try await world.signIn()
            let deaf = try await gateway.listen(as: ada)
            try await deaf.connection.pauseReading()
            let quick = try await gateway.listen(as: ada)
            let large = #"{"text":"\#(String(repeating: "x", count: 20_000))"}"#
            // More than all buffers between the two hold together, and never more at once than the replay holds (1 MB):
            // whoever is further behind is told to begin anew.
            for batch in 1...60 {
                for _ in 1...9 { world.append("call.requested", to: [ada.id], data: large) }
                try await world.publish("call.accepted", to: [ada.id], data: large)
                #expect(try await quick.subjects(10).last == "\(batch * 10)")
            }
            try await eventually(within: .seconds(60), "the deaf client to be dropped") {
                gateway.listeners == 1
            }
            // What it did get is whole up to where it was cut, and it can go on from there or is told that it can't.
            try await deaf.connection.resumeReading()
            var last: String?
            var count = 0
            do {
                while let event = try await deaf.next() {
                    last = event.id
                    count += 1
                }
                Issue.record("a stream that was cut must not look whole")
            } catch {}
            #expect(count < 600)
            let again = try await gateway.listen(as: ada, after: last)
            let next = try #require(try await again.next())
            #expect(next.event == "reset" || next.subject == "\(count + 1)")
        }
    }

    @Test func `a client that reads slowly gets everything`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let slow = try await gateway.listen(as: ada)
            try await slow.connection.pauseReading()
            let large = #"{"text":"\#(String(repeating: "x", count: 2_000))"}"#
            for _ in 0..<400 { world.append("call.requested", to: [ada.id], data: large) }
            try await world.publish("call.accepted", to: [ada.id], data: large)
            try await slow.connection.resumeReading()
            #expect(try await slow.subjects(401) == (1...401).map(String.init))
        }
    }
}
