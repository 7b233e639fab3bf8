import Foundation
import Identity
import NIOCore
import NIOPosix
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct IdempotencyTests {
    @Test func `Fifty posts at once with one key make one request and get one answer`() async throws {
        try await RunningCalls.with(.init(replicas: 2)) { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            _ = try await app.ask(tom, as: app.person())
            let answers = try await all(Array(0..<50)) { index in
                try await app.send(
                    .POST, "/", RunningCalls.asking(tom.id), as: cam, replica: index % 2, key: "k")
            }
            #expect(answers.statuses == [200: 50], "\(answers.statuses)")
            #expect(Set(answers.map(\.body)).count == 1)
            #expect(try await app.sql("SELECT count(*) FROM calls.requests WHERE user_id = '\(cam.id)'") == "1")
            #expect(
                try await app.sql("SELECT count(*) FROM calls.outbox WHERE subject = '\(answers[0].id)'") == "1")
        }
    }

    @Test func `Every move with a key is made once and answered the same, even when it is too late for it`()
        async throws
    {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let asking = RunningCalls.asking(tom.id)
            let created = try await app.send(.POST, "/", asking, as: cam, key: "1")
            let moves: [(String, String, Claims.User)] = [
                ("accept", app.times(4), tom.user), ("new-times", app.times(20), cam),
                ("agreed-time", app.agreeing(20), tom.user),
            ]
            var answers: [Answer] = []
            for (path, body, user) in moves {
                let answer = try await app.send(.PATCH, "/\(created.id)/\(path)", body, as: user, key: path)
                #expect(answer.status == 200, "\(answer)")
                answers.append(answer)
            }
            // Times that were an hour ahead are past.
            app.clock.advance(minutes: 20 * 60)
            app.heroes.setAway(true)
            for ((path, body, user), answer) in zip(moves, answers) {
                let again = try await app.send(.PATCH, "/\(created.id)/\(path)/", body, as: user, key: path)
                #expect(again.status == 200 && again.body == answer.body, "\(again)")
            }
            #expect(try await app.send(.POST, "/", asking, as: cam, key: "1").body == created.body)
            #expect(try await app.events(of: created.id).count == 4)
        }
    }

    @Test func `A key with another body is refused, and says nothing to others`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom, ann) = (app.person(), app.hero(), app.hero())
            #expect(try await app.send(.POST, "/", RunningCalls.asking(tom.id), as: cam, key: "k").status == 200)
            let other = try await app.send(.POST, "/", RunningCalls.asking(ann.id), as: cam, key: "k")
            #expect(other.has(.idempotencyKeyReused))
            #expect(try await app.send(.POST, "/", "{}", as: cam, key: "k").has(.idempotencyKeyReused))
            #expect(
                try await app.send(.POST, "/", RunningCalls.asking(ann.id), as: app.person(), key: "k").status == 200)
            let long = String(repeating: "k", count: 256)
            #expect(try await app.send(.POST, "/", RunningCalls.asking(ann.id), as: cam, key: long).has(.badRequest))
        }
    }

    @Test func `A refusal is not kept`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let open = try await app.ask(tom, as: cam)
            let asking = RunningCalls.asking(tom.id)
            #expect(try await app.send(.POST, "/", asking, as: cam, key: "k").has(.conflict))
            _ = try await app.send(.PATCH, "/\(open)/decline", #"{"reason":"no"}"#, as: tom.user)
            #expect(try await app.send(.POST, "/", asking, as: cam, key: "k").status == 200)
        }
    }

    @Test func `A reply cut off after the commit and asked for again has no second effect`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            _ = try await app.ask(tom, as: app.person())
            let body = RunningCalls.asking(tom.id)
            let path = RunningCalls.path
            let request = """
                POST \(path) HTTP/1.1\r\nhost: calls\r\nidempotency-key: k\r\ncontent-type: application/json\r
                content-length: \(body.utf8.count)\r
                \(Claims.headerName): \(try RunningCalls.sign(.user(cam), .POST, path))\r\n\r\n\(body)
                """
            // The client is gone before the answer is there.
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: app.ports[0]).get()
            try await channel.writeAndFlush(ByteBuffer(string: request))
            try await channel.close()
            try await eventually("the effect") {
                try await app.sql("SELECT count(*) FROM calls.requests WHERE user_id = '\(cam.id)'") == "1"
            }
            let answer = try await app.send(.POST, "", body, as: cam, key: "k")
            #expect(answer.status == 200)
            #expect(try await app.sql("SELECT count(*) FROM calls.requests WHERE user_id = '\(cam.id)'") == "1")
            #expect(try await app.events(of: answer.id) == ["call.requested"])
        }
    }
}
