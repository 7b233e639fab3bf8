import Foundation
import Identity
import NIOCore
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct PublishingTests {
    /// A story in which every event happens, and what the ledger says of it.
    private static func story(
        _ body: @Sendable (RunningCalls, Claims.User, RunningCalls.HeroOwner, [JSONValue]) async throws -> Void
    ) async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person("Cam"), app.hero("Tom"))
            let refused = try await app.ask(tom, as: cam)
            let no = #"{"reason":"Not my \"subject\"."}"#
            _ = try app.expect(200, await app.send(.PATCH, "/\(refused)/decline", no, as: tom.user))
            let id = try await app.accepted(tom, as: cam)
            _ = try app.expect(200, await app.send(.PATCH, "/\(id)/new-times", app.times(20), as: cam))
            _ = try app.expect(200, await app.send(.PATCH, "/\(id)/agreed-time", app.agreeing(20), as: tom.user))
            app.clock.advance(minutes: 19 * 15)
            let events = try await eventually("all events") { () -> [JSONValue]? in
                let answer = try await app.raw(
                    .GET, "/internal/v1/events?after=0&limit=100", claims: .service("accounts"))
                guard case .array(let events)? = answer["events"], events.count == 7 else { return nil }
                return events
            }
            try await body(app, cam, tom, events)
        }
    }

    @Test func `Each move is told once, as its schema says and as its sample looks`() async throws {
        try await Self.story { _, cam, tom, events in
            #expect(
                events.map { $0.members["type"]?.text } == [
                    "call.requested", "call.declined", "call.requested", "call.accepted", "call.times_suggested",
                    "call.time_agreed", "call.reminder_due",
                ])
            let types = try EventSchema.types(of: "calls")
            #expect(Set(events.compactMap { $0.members["type"]?.text }) == Set(types))
            for event in events {
                let type = try #require(event.members["type"]?.text)
                #expect(try EventSchema(service: "calls", type: type).faults(of: event) == [], "\(event)")
                let recipients = JSONValue.array([.string(cam.id.text), .string(tom.user.id.text)])
                #expect(event.members["recipients"] == recipients)
                #expect(event.members["data"]?.members["hero"] == .integer(tom.id))
                #expect(event.members["data"]?.members["id"]?.integer.map { "\($0)" } == event.members["subject"]?.text)
            }
            for type in types {
                let sample = try EventSchema.sample(service: "calls", type: type)
                #expect(try EventSchema(service: "calls", type: type).faults(of: sample) == [])
                let shapes = events.filter { $0.members["type"]?.text == type }.map(\.shape)
                #expect(!shapes.isEmpty && shapes.allSatisfy { $0 == sample.shape }, "\(type) \(shapes)")
            }
        }
    }

    @Test func `Events say who did what`() async throws {
        try await Self.story { app, cam, tom, events in
            let data = events.map { $0.members["data"]?.members ?? [:] }
            #expect(data[1]["reason"] == .string("Not my \"subject\".") && data[1]["status"] == .string("d"))
            #expect(data[3]["by"] == .string(tom.user.id.text) && data[3]["status"] == .string("a"))
            #expect(data[4]["by"] == .string(cam.id.text) && data[5]["by"] == .string(tom.user.id.text))
            guard case .array(let times)? = data[4]["times"] else { throw TestFailure("no times") }
            // The clock has moved on by nineteen quarters of an hour.
            #expect(times == [1, 5, 9].map { .string(app.quarter($0)) })
            #expect(data[5]["agreed_time"] == times[0] && data[6]["agreed_time"] == times[0])
        }
    }

    @Test func `What is refused is told to nobody`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.agreed(tom, as: cam)
            let before = try await app.sql("SELECT count(*) FROM calls.outbox")
            let other = try await app.accepted(tom, as: app.person())
            let known = try await app.sql("SELECT count(*) FROM calls.outbox")
            #expect(Int(known) == (Int(before) ?? 0) + 2)
            for (request, path, body) in [
                (id, "accept", app.times(4)), (id, "decline", #"{"reason":"no"}"#), (id, "new-times", app.times(4)),
                (id, "agreed-time", app.agreeing(4)), (other, "new-times", app.times(4)),
                (other, "agreed-time", app.agreeing(4)),
            ] {
                #expect(try await app.send(.PATCH, "/\(request)/\(path)", body, as: tom.user).status >= 400)
            }
            #expect(try await app.sql("SELECT count(*) FROM calls.outbox") == known)
        }
    }

    @Test func `An event goes on with the trace of the request that caused it`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let trace = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
            let id = try await app.send(.POST, "/", RunningCalls.asking(tom.id), as: cam, headers: trace).id
            _ = try await app.send(.PATCH, "/\(id)/accept", app.times(4), as: tom.user, headers: trace)
            let traces = try await app.sql("SELECT DISTINCT substr(traceparent, 1, 36) FROM calls.outbox")
            #expect(traces == "00-4bf92f3577b34da6a3ce929d0e0e4736-")
        }
    }

    @Test func `Only accounts and the gateway read the ledger`() async throws {
        try await RunningCalls.with { app async throws in
            for name in ["accounts", "gateway"] {
                #expect(try await app.raw(.GET, "/internal/v1/events?after=0", claims: .service(name)).status == 200)
            }
            for claims in [Claims.anonymous, .user(RunningCalls.staff), .service("heroes"), .service("calls")] {
                #expect(try await app.raw(.GET, "/internal/v1/events?after=0", claims: claims).status == 403)
            }
        }
    }
}
