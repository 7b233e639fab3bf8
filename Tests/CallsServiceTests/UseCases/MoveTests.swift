import CallsDomain
import Foundation
import Identity
import ServiceKit
import TestKit
import Testing

@testable import CallsService

@Suite struct MoveTests {
    @Test func `The hero accepts with three times`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero("Tom"))
            let id = try await app.ask(tom, as: cam)
            let before = try await app.show(id, as: cam)
            app.clock.advance(minutes: 15)
            let answer = try await app.send(.PATCH, "/\(id)/accept/", app.times(4), as: tom.user)
            #expect(answer.status == 200 && Set(answer.members.keys) == CreateTests.members, "\(answer)")
            #expect(answer.text("status") == "a" && answer["agreed_time"] == .null)
            #expect(answer["created"] == before["created"])
            #expect(answer.text("updated") == app.quarter(0) && before.text("updated") != app.quarter(0))
            let times = answer.list("times")
            #expect(times.count == 1)
            #expect(
                Set(times[0].keys) == ["user", "datetime_one", "datetime_two", "datetime_three", "timestamp"])
            #expect(times[0]["datetime_one"] == .string(app.quarter(4)))
            #expect(times[0]["datetime_two"] == .string(app.quarter(8)))
            #expect(times[0]["datetime_three"] == .string(app.quarter(12)))
            #expect(times[0]["timestamp"] == .string(app.quarter(0)))
            let user = times[0]["user"]?.members ?? [:]
            #expect(
                Set(user.keys) == ["id", "first_name", "last_name", "profile_image", "timezone", "created"])
            #expect(user["id"] == .string(tom.user.id.text) && user["first_name"] == .string("Tom"))
            #expect(try await app.show(id, as: cam).members == answer.members)
            #expect(try await app.events(of: id) == ["call.requested", "call.accepted"])
        }
    }

    @Test func `The hero declines with a reason`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            let answer = try await app.send(.PATCH, "/\(id)/decline", #"{"reason":"Not my subject."}"#, as: tom.user)
            #expect(answer.status == 200 && answer.text("status") == "d", "\(answer)")
            #expect(answer.text("reason") == "Not my subject." && answer["times"] == .array([]))
            #expect(try await app.show(id, as: cam).members == answer.members)
            #expect(try await app.events(of: id) == ["call.requested", "call.declined"])
        }
    }

    @Test func `Both sides suggest in turn, oldest first, and agree`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person("Cam"), app.hero("Tom"))
            let id = try await app.accepted(tom, as: cam)
            let second = try await app.send(.PATCH, "/\(id)/new-times", app.times(20), as: cam)
            let third = try await app.send(.PATCH, "/\(id)/new-times/", app.times(40), as: tom.user)
            #expect(second.status == 200 && third.status == 200 && third["updated"] != nil)
            let names = third.list("times").map { $0["user"]?.members["first_name"] }
            #expect(names == [.string("Tom"), .string("Cam"), .string("Tom")])
            #expect(third.list("times").map { $0["datetime_one"] } == [4, 20, 40].map { .string(app.quarter($0)) })
            let agreed = try await app.send(.PATCH, "/\(id)/agreed-time/", app.agreeing(44), as: cam)
            #expect(agreed.status == 200 && agreed.text("agreed_time") == app.quarter(44), "\(agreed)")
            #expect(agreed.text("status") == "a" && agreed.list("times").count == 3)
            #expect(try await app.show(id, as: tom.user).members == agreed.members)
            #expect(
                try await app.events(of: id) == [
                    "call.requested", "call.accepted", "call.times_suggested", "call.times_suggested",
                    "call.time_agreed",
                ])
            #expect(try await app.sql("SELECT count(*) FROM calls.bookings WHERE request_id = \(id)") == "2")
        }
    }

    @Test func `Times in any offset are the same instants`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            let answer = try await app.send(
                .PATCH, "/\(id)/accept",
                #"{"time_one":"2099-06-01T12:00:00+02:00","time_two":"2099-06-01t09:45:00.000-00:45","time_three":"2099-06-01T10:15:00.000000000z"}"#,
                as: tom.user)
            let times = answer.list("times").first
            #expect(times?["datetime_one"] == .string("2099-06-01T10:00:00.000000Z"), "\(answer)")
            #expect(times?["datetime_two"] == .string("2099-06-01T10:30:00.000000Z"))
            #expect(times?["datetime_three"] == .string("2099-06-01T10:15:00.000000Z"))
        }
    }

    @Test func `Times break their rules one by one or all at once`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            func body(_ one: String, _ two: String, _ three: String) -> String {
                #"{"time_one":\#(one),"time_two":\#(two),"time_three":\#(three)}"#
            }
            func time(_ count: Int64) -> String { "\"\(app.quarter(count))\"" }
            let odd = #""2099-06-01T10:05:00Z""#
            let cases: [(String, Set<String>)] = [
                ("{}", ["time_one", "time_two", "time_three"]),
                (body("null", "5", "[]"), ["time_one", "time_two", "time_three"]),
                (body(time(1), time(4), time(5)), ["time_one"]),
                (body(time(-96), time(1), time(0)), ["time_one", "time_two", "time_three"]),
                (body(time(4), odd, time(5)), ["time_two"]),
                (
                    body(time(4), #""2099-06-01T10:00:01Z""#, #""2099-06-01T10:00:00.000001Z""#),
                    ["time_two", "time_three"]
                ),
                (body(time(4), time(5), #""2099-06-01T10:00:00.0000005Z""#), ["time_three"]),
                (body(time(4), time(4), time(5)), ["time_two"]),
                (body(time(4), time(5), time(4)), ["time_three"]),
                (body(#""2099-06-01T10:00:00""#, time(5), time(6)), ["time_one"]),
                (body(#""2099-02-30T10:00:00Z""#, time(5), #""soon""#), ["time_one", "time_three"]),
                (body(#""9999-12-31T23:45:00-23:59""#, time(5), time(6)), ["time_one"]),
            ]
            for path in ["accept", "new-times"] {
                for (body, fields) in cases {
                    let answer = try await app.send(.PATCH, "/\(id)/\(path)", body, as: tom.user)
                    #expect(answer.has(.invalid) && answer.badFields == fields, "\(path) \(body): \(answer)")
                }
            }
            // 30 minutes ahead to the microsecond is enough.
            #expect(try await app.send(.PATCH, "/\(id)/accept", app.times(2), as: tom.user).status == 200)
        }
    }

    @Test func `Who may not is told before the body is looked at, and unknown ids before that`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom, other) = (app.person(), app.hero(), app.hero())
            let id = try await app.ask(tom, as: cam)
            for (path, forbidden) in [
                ("accept", [cam, other.user, RunningCalls.staff]), ("decline", [cam, other.user, RunningCalls.staff]),
                ("new-times", [other.user, RunningCalls.staff]), ("agreed-time", [other.user, RunningCalls.staff]),
            ] {
                for user in forbidden {
                    let answer = try await app.send(.PATCH, "/\(id)/\(path)", "{}", as: user)
                    #expect(answer.has(.permissionDenied), "\(path) \(answer)")
                }
                #expect(try await app.send(.PATCH, "/\(id)/\(path)", "{}").has(.notAuthenticated))
                for unknown in ["\(id + 1)", "0", "-1", "x", "1.0", "+1", "9223372036854775808", "\(UUID())", "%00"] {
                    let answer = try await app.send(.PATCH, "/\(unknown)/\(path)", "{}", as: tom.user)
                    #expect(answer.has(.notFound), "\(unknown) \(answer)")
                }
                #expect(try await app.send(.PATCH, "/\(id)/\(path)", "[", as: tom.user).has(.malformedJSON))
            }
            #expect(try await app.events(of: id) == ["call.requested"])
        }
    }

    @Test func `A reason has 1 to 500 characters`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            let long = String(repeating: "字", count: 501)
            for bad in ["{}", #"{"reason":null}"#, #"{"reason":5}"#, #"{"reason":""}"#, #"{"reason":"\#(long)"}"#] {
                let answer = try await app.send(.PATCH, "/\(id)/decline", bad, as: tom.user)
                #expect(answer.has(.invalid) && answer.badFields == ["reason"], "\(answer)")
            }
            let good = #"{"reason":"\#(long.dropLast())"}"#
            #expect(try await app.send(.PATCH, "/\(id)/decline", good, as: tom.user).status == 200)
        }
    }

    @Test func `From each state only its own moves are possible`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            func refused(_ id: Int64, _ paths: [String]) async throws {
                let before = try await app.show(id, as: cam)
                for path in paths {
                    let body =
                        switch path {
                        case "decline": #"{"reason":"no"}"#
                        case "agreed-time": app.agreeing(4)
                        default: app.times(100)
                        }
                    let answer = try await app.send(.PATCH, "/\(id)/\(path)", body, as: tom.user)
                    #expect(answer.has(.invalidState), "\(path) \(answer)")
                    // Bad data is bad data in any state.
                    #expect(try await app.send(.PATCH, "/\(id)/\(path)", "{}", as: tom.user).has(.invalid))
                }
                #expect(try await app.show(id, as: cam).members == before.members)
            }
            let open = try await app.ask(tom, as: cam)
            try await refused(open, ["new-times", "agreed-time"])
            _ = try await app.send(.PATCH, "/\(open)/decline", #"{"reason":"no"}"#, as: tom.user)
            try await refused(open, ["accept", "decline", "new-times", "agreed-time"])
            let accepted = try await app.accepted(tom, as: cam)
            try await refused(accepted, ["accept", "decline"])
            _ = try await app.send(.PATCH, "/\(accepted)/agreed-time", app.agreeing(4), as: cam)
            try await refused(accepted, ["accept", "decline", "new-times", "agreed-time"])
        }
    }

    @Test func `Only one of the other side's newest times can be agreed to, while it is to come`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            func agree(_ body: String, as user: Claims.User) async throws -> Answer {
                try await app.send(.PATCH, "/\(id)/agreed-time", body, as: user)
            }
            for bad in ["{}", #"{"agreed_time":null}"#, #"{"agreed_time":5}"#, #"{"agreed_time":"soon"}"#] {
                let answer = try await agree(bad, as: cam)
                #expect(answer.has(.invalid) && answer.badFields == ["agreed_time"])
            }
            let own = try await agree(app.agreeing(4), as: tom.user)
            let other = try await agree(app.agreeing(5), as: cam)
            #expect(own.has(.invalid) && own.badFields == ["agreed_time"])
            #expect(other.has(.invalid) && other.badFields == ["agreed_time"])
            _ = try await app.send(.PATCH, "/\(id)/new-times", app.times(20), as: cam)
            #expect(try await agree(app.agreeing(4), as: tom.user).has(.invalid))
            let newest = app.agreeing(20)
            app.clock.advance(minutes: 20 * 15)
            #expect(try await agree(newest, as: tom.user).has(.invalid))
            #expect(try await agree(app.agreeing(4), as: tom.user).status == 200)
        }
    }

    @Test func `An instant is suggested once on a request, on others as often as one likes`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            for first: Int64 in [4, -4 + 2, 8, 12] where first > 1 {
                #expect(try await app.send(.PATCH, "/\(id)/new-times", app.times(first), as: cam).has(.conflict))
            }
            #expect(try await app.show(id, as: cam).list("times").count == 1)
            _ = try await app.accepted(app.hero(), as: cam)
            #expect(try await app.send(.PATCH, "/\(id)/new-times", app.times(5), as: cam).status == 200)
        }
    }

    @Test func `Who suggests is shown, and while accounts is away and nobody knows them it is for later`() async throws
    {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.ask(tom, as: cam)
            app.accounts.setAway(true)
            let answer = try await app.send(.PATCH, "/\(id)/accept", app.times(4), as: tom.user)
            #expect(answer.has(.temporarilyUnavailable) && answer.headers.first(name: "retry-after") != nil)
            app.accounts.setAway(false)
            #expect(try await app.send(.PATCH, "/\(id)/accept", app.times(4), as: tom.user).status == 200)
            app.accounts.setAway(true)
            #expect(try await app.send(.PATCH, "/\(id)/new-times", app.times(20), as: tom.user).status == 200)
            #expect(try await app.show(id, as: cam).status == 200)
            // Copies that were lost are asked for again.
            app.accounts.setAway(false)
            try await app.sql("DELETE FROM calls.users")
            #expect(try await app.show(id, as: cam).list("times").count == 2)
            #expect(try await app.list(as: cam).status == 200)
        }
    }

    @Test func `Who is not shown with the answer need not be known`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let declined = try await app.ask(tom, as: app.person())
            app.accounts.setAway(true)
            let no = try await app.send(.PATCH, "/\(declined)/decline", #"{"reason":"no"}"#, as: tom.user)
            #expect(no.status == 200, "\(no)")
            app.accounts.setAway(false)
            let id = try await app.accepted(tom, as: cam)
            app.accounts.setAway(true)
            let agreed = try await app.send(.PATCH, "/\(id)/agreed-time", app.agreeing(4), as: cam)
            #expect(agreed.status == 200, "\(agreed)")
        }
    }

    @Test func `Copies that were lost are asked for before a move that shows them, or it is for later`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person("Cam"), app.hero("Tom"))
            let id = try await app.accepted(tom, as: cam)
            #expect(try await app.send(.PATCH, "/\(id)/new-times", app.times(20), as: cam).status == 200)
            try await app.sql("DELETE FROM calls.users")
            func agree() async throws -> Answer {
                try await app.send(.PATCH, "/\(id)/agreed-time", app.agreeing(20), as: tom.user, key: "k")
            }
            app.accounts.setAway(true)
            #expect(try await agree().has(.temporarilyUnavailable))
            app.accounts.setAway(false)
            let answer = try await agree()
            let names = answer.list("times").map { $0["user"]?.members["first_name"] }
            #expect(answer.status == 200 && names == [.string("Tom"), .string("Cam")], "\(answer)")
        }
    }

    @Test func `An agreement that is refused draws no numbers, however often it is tried`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            _ = try await app.agreed(tom, as: app.person())
            let id = try await app.accepted(tom, as: cam)
            for _ in 0..<5 {
                let answer = try await app.send(.PATCH, "/\(id)/agreed-time", app.agreeing(4), as: cam)
                #expect(answer.has(.alreadyBooked), "\(answer)")
            }
            // One for each of three people.
            #expect(try await app.sql("SELECT count(*) FROM calls.people") == "3")
            #expect(try await app.sql("SELECT last_value FROM calls.people_number_seq") == "3")
        }
    }

    @Test func `A move that had to wait is judged by the time at which it is made`() async throws {
        try await RunningCalls.with { app async throws in
            let (cam, tom) = (app.person(), app.hero())
            let id = try await app.accepted(tom, as: cam)
            let body = app.agreeing(4)
            let agreement = try await app.withClient { postgres in
                try await postgres.withTransaction { transaction in
                    try await transaction.execute("SELECT 1 FROM calls.requests WHERE id = \(id) FOR UPDATE")
                    let agreement = Task { try await app.send(.PATCH, "/\(id)/agreed-time", body, as: cam) }
                    try await eventually("an agreement that waits") { try await app.waiting() == "1" }
                    app.clock.advance(minutes: 4 * 15)
                    return agreement
                }
            }
            let late = try await agreement.value
            #expect(late.has(.invalid) && late.badFields == ["agreed_time"], "\(late)")
        }
    }
}
