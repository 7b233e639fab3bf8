import Foundation
import Identity
import NIOCore
import TestKit
import Testing

@testable import GatewayService

@Suite("Who may listen, and until when") struct StreamRightsTests {
    @Test func `nobody listens without being signed in`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            for fields in [[:], ["authorization": "Token \(Token.random().secret)"], ["authorization": "Basic eDp5"]] {
                let got = try await gateway.ask(request("GET", "/api/v1/events", fields))
                #expect(got?.status == 403)
                #expect(got?.code == "not_authenticated")
                #expect(got?["content-type"] == "application/problem+json")
                #expect(try await gateway.ask(request("HEAD", "/api/v1/events", fields))?.status == 403)
            }
        }
    }

    @Test func `when it can't be told who asks it is 503`() async throws {
        try await RunningGateway.with { gateway in
            let fields = ["authorization": "Token \(Token.random().secret)"]
            let got = try await gateway.ask(request("GET", "/api/v1/events", fields))
            #expect(got?.status == 503)
            #expect(got?["retry-after"] != nil)
        }
    }

    @Test func `other methods are told which there are`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let fields = ["authorization": "Token \(ada.token.secret)"]
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let got = try await gateway.ask(request(method, "/api/v1/events", fields))
                #expect(got?.status == 405)
                #expect(got?["allow"] == "GET, HEAD")
            }
            let head = try await gateway.ask(request("HEAD", "/api/v1/events", fields))
            #expect(head?.status == 200)
            #expect(head?["content-type"] == "text/event-stream")
            #expect(try await gateway.ask(request("GET", "/api/v1/events", fields, body: "{}"))?.status == 400)
            #expect(try await gateway.ask(request("GET", "/api/v1/events/x", fields))?.status == 404)
            let slash = try await EventStream.open(
                try await gateway.connect(), request("GET", "/api/v1/events/?a=b", fields))
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await slash.next()?.subject == "1")
        }
    }

    @Test func `a revoked token ends its streams, and no event is told after that`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({ $0.limits.live.recheck = .hours(1) }) { gateway in
            let user = UUID()
            let gone = try await world.signIn(user)
            let kept = try await world.signIn(user)
            var ending: [EventStream] = []
            for _ in 0..<4 { ending.append(try await gateway.listen(as: gone)) }
            let staying = try await gateway.listen(as: kept)
            try await world.publish("call.requested", to: [user])
            for stream in ending + [staying] { #expect(try await stream.next()?.subject == "1") }
            try await world.revoke(gone)
            // The answer to a request that may have revoked a token comes once all loops have heard of it. This request
            // has no token, so they can have heard from Redis only.
            let reset = try await gateway.ask(request("POST", "/api/v1/accounts/reset-password", body: "{}"))
            #expect(reset?.status == 200)
            try await world.publish("call.accepted", to: [user])
            // Ended as a whole one, with nothing in between.
            for stream in ending { #expect(try await stream.next() == nil) }
            #expect(try await staying.next()?.subject == "2")
            #expect(
                try await gateway.ask(request("GET", "/api/v1/events", ["authorization": gone.token.secret]))?.status
                    == 403)
        }
    }

    @Test func `the event of a revocation is enough`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({ $0.limits.live.recheck = .hours(1) }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            let other = try await gateway.listen(as: try await world.signIn())
            try world.revokeInSilence(ada)
            try await world.publish(
                "token.revoked", from: .accounts, to: [],
                data: #"{"user":"\#(ada.id)","tokens":[99999,\#(ada.tokenID)]}"#)
            #expect(try await stream.next() == nil)
            await other.close()
        }
    }

    @Test func `without any news a token is looked up again`() async throws {
        let world = try await LiveWorld()
        // Redis is away, so nothing is heard of tokens, and accounts alone knows.
        try await world.withGateway({ $0.limits.live.recheck = .milliseconds(300) }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await world.redis.stop()
            try world.revokeInSilence(ada)
            #expect(try await stream.next() == nil)
        }
    }

    @Test func `while Redis is away each event waits for a look at the token`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({ $0.limits.live.recheck = .hours(1) }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await world.redis.stop()
            for number in 1...5 {
                world.append("call.requested", to: [ada.id])
                #expect(try await stream.next()?.subject == "\(number)")
            }
            try world.revokeInSilence(ada)
            world.append("call.accepted", to: [ada.id])
            #expect(try await stream.next() == nil)
        }
    }

    /// The answer of that look is good for what had happened before it only.
    @Test func `what happens during a look at the token is told after the next one`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({
            $0.limits.live.recheck = .hours(1)
            $0.threads = 1
        }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            world.accounts.holdTokens(true)
            try await world.redis.stop()
            try await eventually("a look at the token") { world.accounts.heldTokens > 0 }
            // Page by page, so that the question for the second tells that the first was taken.
            world.pageEvents.store(1, ordering: .relaxed)
            for _ in 1...2 { world.append("call.requested", to: [ada.id]) }
            try await eventually("the event in the gateway") { world.hasBeenTaken(through: 1, of: .calls) }
            world.accounts.holdTokens(false)
            #expect(try await stream.subjects(2) == ["1", "2"])
        }
    }

    @Test func `a stream whose token nobody can vouch for is told nothing, and ends`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({
            $0.limits.live.recheck = .milliseconds(200)
            $0.limits.live.doubt = .milliseconds(1500)
        }) { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            try await world.accounts.kill()
            try await world.redis.stop()
            world.append("call.requested", to: [ada.id])
            #expect(try await stream.next() == nil)
        }
    }

    @Test func `a token whose owner changed is still the same token`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway { gateway in
            let ada = try await world.signIn()
            let stream = try await gateway.listen(as: ada)
            // Verified, for instance: the copy in Redis is written anew.
            try await world.command([
                "EVAL",
                "for _, k in ipairs(redis.call('keys', '*')) do redis.call('set', k, redis.call('get', k)) end return 1",
                "0",
            ])
            try await world.publish("call.requested", to: [ada.id])
            #expect(try await stream.next()?.subject == "1")
            try await world.command(["FLUSHALL"])
            try await world.publish("call.accepted", to: [ada.id])
            #expect(try await stream.next()?.subject == "2")
        }
    }

    @Test func `a user has so many streams, and a process`() async throws {
        let world = try await LiveWorld()
        try await world.withGateway({
            $0.limits.live.listenersPerUser = 3
            $0.limits.live.listeners = 5
        }) { gateway in
            let ada = try await world.signIn()
            let cam = try await world.signIn()
            var streams: [EventStream] = []
            for _ in 0..<3 { streams.append(try await gateway.listen(as: ada)) }
            let fields = ["authorization": "Token \(ada.token.secret)"]
            let refused = try await gateway.ask(request("GET", "/api/v1/events", fields))
            #expect(refused?.status == 429)
            #expect(refused?.code == "too_many_requests")
            #expect(refused?["retry-after"] != nil)
            for _ in 0..<2 { streams.append(try await gateway.listen(as: cam)) }
            let full = try await gateway.ask(request("GET", "/api/v1/events", ["authorization": cam.token.secret]))
            #expect(full?.status == 503)
            // A place that is left is free, however it was left.
            await streams[0].connection.reset()
            await streams[1].close()
            try await eventually("free places") {
                streams.append(try await gateway.listen(as: ada))
                return true
            }
        }
    }
}
