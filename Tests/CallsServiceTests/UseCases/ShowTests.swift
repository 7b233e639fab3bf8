import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct ShowTests {
    @Test func `The two parties and staff see a request, nobody else does`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            for user in [cam, tom.user, RunningCalls.staff] {
                let answer = try await app.show(id, as: user)
                #expect(answer.status == 200 && answer.id == id)
                #expect(answer.headers.first(name: "cache-control") == "no-store")
            }
            for user in [app.person(), app.hero().user] {
                #expect(try await app.show(id, as: user).has(.permissionDenied))
            }
            #expect(try await app.show(id, as: nil).has(.notAuthenticated))
            for unknown in ["\(id + 1)", "0", "-1", "x", "9223372036854775808"] {
                #expect(try await app.send(.GET, "/\(unknown)", as: cam).has(.notFound), "\(unknown)")
            }
        }
    }

    @Test func `HEAD is GET without a body, and a slash at the end changes nothing`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            for path in ["/\(id)", "/\(id)/", "/", ""] {
                let get = try await app.send(.GET, path, as: cam)
                let head = try await app.send(.HEAD, path, as: cam)
                #expect(get.status == 200 && head.status == 200 && head.body.readableBytes == 0)
                #expect(head.headers["content-length"] == ["\(get.body.readableBytes)"])
            }
        }
    }

    @Test func `Who may not see a request is told so, and accounts is asked for nobody`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            try await app.sql("DELETE FROM calls.users")
            app.accounts.setAway(true)
            #expect(try await app.show(id, as: cam).has(.temporarilyUnavailable))
            #expect(try await app.show(id, as: app.person()).has(.permissionDenied))
        }
    }
}
