import Foundation
import NIOCore
import TestKit
import Testing

@testable import GatewayService

@Suite("The stream of events") struct StreamTests {
    @Test func `whoever is signed in is told what happens to them, and nothing else`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let cam = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            #expect(stream.head["content-type"] == "text/event-stream")
            #expect(stream.head["cache-control"] == "no-store")
            try await world.publish("call.requested", to: [cam.id])
            try await world.publish("call.accepted", to: [ada.id, cam.id], data: #"{"id":7,"by":"h\"é\n"}"#)
            try await world.publish("hero.accepted", from: .heroes, to: [ada.id])
            let event = try #require(try await stream.next())
            #expect(event.event == "call.accepted")
            #expect(event.id?.hasSuffix(".2") == true)
            #expect(Set(event.json.keys) == ["id", "type", "subject", "time", "data"])
            #expect(event.json["type"] as? String == "call.accepted")
            #expect((event.json["data"] as? [String: Any])?["by"] as? String == "h\"é\n")
            #expect(UUID(uuidString: event.json["id"] as? String ?? "") != nil)
            #expect(try await stream.next()?.event == "hero.accepted")
            let other = try await gateway.listen(as: cam, after: "0.0.0")
            #expect(try await other.subjects(2) == ["1", "2"])
        }
    }

    @Test func `several streams of one user are all told`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            var streams: [EventStream] = []
            for _ in 0..<6 { streams.append(try await gateway.listen(as: ada)) }
            try await world.publish("call.requested", to: [ada.id])
            for stream in streams { #expect(try await stream.next()?.subject == "1") }
        }
    }

    @Test func `it goes on where it stopped`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            for _ in 0..<3 { try await world.publish("call.requested", to: [ada.id]) }
            var last: String?
            for _ in 0..<3 { last = try await stream.next()?.id }
            await stream.close()
            try await world.publish("call.accepted", to: [ada.id])
            try await world.publish("call.accepted", to: [UUID()])
            try await world.publish("hero.accepted", from: .heroes, to: [ada.id])
            let again = try await gateway.listen(as: ada, after: last)
            let told = Set(try await again.subjects(2))
            #expect(told == ["4", "1"])
            try await world.publish("call.declined", to: [ada.id])
            #expect(try await again.next()?.subject == "6")
        }
    }

    /// The positions are the ledgers' own: another gateway, or the same after a restart, goes on as well.
    @Test func `it goes on at another gateway`() async throws {
        let world = try await LiveWorld()
        let ada = try await world.signIn()
        let last = try await world.withGateway { gateway in
            let stream = try await gateway.listen(as: ada)
            try await world.publish("call.requested", to: [ada.id])
            return try await stream.next()?.id
        }
        world.append("call.accepted", to: [ada.id])
        world.append("call.declined", to: [ada.id])
        try await world.withGateway { gateway in
            let stream = try await gateway.listen(as: ada, after: last)
            #expect(try await stream.subjects(2) == ["2", "3"])
        }
    }

    @Test(arguments: ["nonsense", "-.-.-", "0.0.1", "0.0.999999"])
    func `whoever can't be told everything is told so`(lastID: String) async throws {
        let world = try await LiveWorld()
        let ada = try await world.signIn()
        for _ in 0..<20 { world.append("call.requested", to: [ada.id]) }
        try await world.withGateway({ $0.limits.live.replayEvents = 5 }) { gateway in
            let stream = try await gateway.listen(as: ada, after: lastID)
            let reset = try #require(try await stream.next())
            #expect(reset.event == "reset")
            try await world.publish("call.accepted", to: [ada.id])
            #expect(try await stream.next()?.subject == "21")
            // The id of the reset is one to go on from.
            let again = try await gateway.listen(as: ada, after: reset.id)
            #expect(try await again.next()?.subject == "21")
        }
    }

    @Test func `whoever begins is not told the past`() async throws {
        let world = try await LiveWorld()
        let ada = try await world.signIn()
        for _ in 0..<20 { world.append("call.requested", to: [ada.id]) }
        try await world.withGateway { gateway in
            let stream = try await gateway.listen(as: ada)
            try await world.publish("call.accepted", to: [ada.id])
            #expect(try await stream.next()?.subject == "21")
        }
    }

    // MARK: What Redis loses

    @Test func `a gap is filled, in order`() async throws {
        let world = try await LiveWorld()
        // Nothing but the gap tells that something was lost.
        try await world.withGateway({ $0.limits.live.askInterval = .hours(1) }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await world.publish("call.requested", to: [ada.id])
            for _ in 0..<300 { world.append("call.accepted", to: [ada.id]) }
            try await world.publish("call.declined", to: [ada.id])
            #expect(try await stream.subjects(302) == (1...302).map(String.init))
        }
    }

    @Test func `a last event that was lost is found`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            world.append("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
        }
    }

    @Test func `an event that comes twice is told once`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            let envelope = world.append("call.requested", to: [ada.id])
            for _ in 0..<3 { try await world.ring(envelope) }
            try await world.publish("call.accepted", to: [ada.id])
            try await world.ring(envelope)
            try await world.publish("call.declined", to: [ada.id])
            #expect(try await stream.subjects(3) == ["1", "2", "3"])
        }
    }

    @Test func `what happens while Redis is away is told all the same`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
            try await world.redis.stop()
            world.append("call.accepted", to: [ada.id])
            #expect(try await stream.next()?.subject == "2")
            try await world.redis.start()
            world.append("call.declined", to: [ada.id])
            #expect(try await stream.next()?.subject == "3")
            try await eventually("an event heard through Redis again") {
                try await world.publish("call.requested", to: [ada.id])
                return try await stream.next() != nil
            }
        }
    }

    @Test func `an owner that is away holds up no other`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            try await world.heroes.kill()
            let stream = try await gateway.listen(as: ada)
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.event == "call.requested")
            // Heard, but what was before it is not known: it waits for the owner.
            world.append("hero.applied", from: .heroes, to: [ada.id])
            try await world.publish("hero.accepted", from: .heroes, to: [ada.id])
            try await world.publish("call.accepted", to: [ada.id])
            #expect(try await stream.next()?.event == "call.accepted")
            try await world.heroes.listen()
            #expect(try await stream.subjects(2) == ["1", "2"])
        }
    }

    @Test func `an event that can't be read holds up no other`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await world.ring("nonsense")
            try await world.publish("bad type\\nid: 1", to: [ada.id])
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "2")
        }
    }

    @Test func `a ledger that begins anew is noticed`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            for _ in 0..<5 { try await world.publish("call.requested", to: [ada.id]) }
            #expect(try await stream.subjects(5).count == 5)
            world.forget(.calls)
            #expect(try await stream.next()?.event == "reset")
            try await world.publish("call.accepted", to: [ada.id])
            let event = try await stream.next()
            #expect(event?.event == "call.accepted")
            #expect(event?.subject == "1")
        }
    }
}
