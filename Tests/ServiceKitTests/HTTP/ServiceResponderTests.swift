import Foundation
import Hummingbird
import Identity
import NIOCore
import Postgres
import ServiceKit
import Testing

@Suite struct ServiceResponderTests {
    // MARK: Who asks

    @Test func `a request without valid claims for itself is answered 403`() async throws {
        try await TestService.with(Things.routes) { service in
            let path = "/api/v1/things"
            let other = try IdentitySeal(SecretKey(String(repeating: "z", count: 32)))
            let now = WallClock.seconds
            let fields: [String?] = [
                nil, "", "a", "\(now + 60).a.00", "\(now + 60).u.x",
                other.sign(.anonymous, method: "GET", path: path, now: now),
                TestService.seal.sign(.anonymous, method: "POST", path: path, now: now),
                TestService.seal.sign(.anonymous, method: "GET", path: path + "?q=1", now: now),
                TestService.seal.sign(.anonymous, method: "GET", path: path + "/", now: now),
                TestService.seal.sign(.anonymous, method: "GET", path: path, now: now - 61),
                TestService.seal.sign(.anonymous, method: "GET", path: path, now: now + 600),
            ]
            for field in fields {
                let answer = try await service.send(
                    "GET", path, as: nil, fields: field.map { ["\(Claims.headerName): \($0)"] } ?? [])
                try expectProblem(answer, .notAuthenticated)
            }
            // Twice the same field is nobody's.
            let twice =
                "\(Claims.headerName): \(TestService.seal.sign(.anonymous, method: "GET", path: path, now: now))"
            try expectProblem(try await service.send("GET", path, as: nil, fields: [twice, twice]), .notAuthenticated)
            // Also where there is nothing.
            try expectProblem(try await service.send("GET", "/nothing", as: nil), .notAuthenticated)
            #expect(try await service.send("GET", path).status == 200)
        }
    }

    @Test func `each policy lets in whom it should`() async throws {
        let none = 200
        let table: [(String, Claims, Int, ProblemCode?)] = [
            ("/api/v1/things", .anonymous, none, nil), ("/api/v1/things", Things.user, none, nil),
            ("/api/v1/things", .unverifiable, none, nil), ("/api/v1/things", .service("heroes"), none, nil),
            ("/api/v1/mine", .anonymous, 403, .notAuthenticated), ("/api/v1/mine", Things.user, none, nil),
            ("/api/v1/mine", .unverifiable, 503, .temporarilyUnavailable),
            ("/api/v1/mine", .service("gateway"), 403, .permissionDenied),
            ("/internal/v1/things", .anonymous, 403, .permissionDenied),
            ("/internal/v1/things", Things.user, 403, .permissionDenied),
            ("/internal/v1/things", .unverifiable, 403, .permissionDenied),
            ("/internal/v1/things", .service("heroes"), 403, .permissionDenied),
            ("/internal/v1/things", .service("gateway"), none, nil),
        ]
        try await TestService.with(Things.routes) { service in
            for (path, claims, status, code) in table {
                let answer = try await service.send("GET", path, as: claims)
                #expect(answer.status == status, "\(path) \(claims)")
                if let code { try expectProblem(answer, code) }
                if status == 503 { #expect(answer["retry-after"] == "1") }
            }
        }
    }

    // MARK: Paths and methods

    @Test func `a slash at the end makes no difference, an unknown path is 404`() async throws {
        try await TestService.with(Things.routes) { service in
            for path in ["/api/v1/things", "/api/v1/things/", "/api/v1/things/?q=a", "/api/v1/things/12/"] {
                #expect(try await service.send("GET", path).status == 200, "\(path)")
            }
            for path in [
                "/", "/api", "/api/v1/things//", "//api/v1/things", "/API/v1/things", "/api/v1/things/1/2",
                "/api/v1/things%2F1", "/api/v1//things",
            ] {
                try expectProblem(try await service.send("GET", path), .notFound)
            }
        }
    }

    @Test func `a wrong method is 405 with those there are`() async throws {
        try await TestService.with(Things.routes) { service in
            for method in ["PUT", "PATCH", "OPTIONS", "SEARCH"] {
                let answer = try await service.send(method, "/api/v1/things/")
                try expectProblem(answer, .methodNotAllowed)
                #expect(answer["allow"] == "DELETE, GET, HEAD, POST")
            }
            let answer = try await service.send("POST", "/api/v1/mine", as: .anonymous, body: "{}")
            try expectProblem(answer, .methodNotAllowed)
            #expect(answer["allow"] == "GET, HEAD")
            #expect(try await service.send("PUT", "/health/live", as: nil).status == 405)
        }
    }

    @Test func `HEAD is GET without the body`() async throws {
        try await TestService.with(Things.routes) { service in
            let wire = try await Wire(port: service.port)
            for (path, status) in [("/api/v1/things?q=abc", 200), ("/nothing", 404), ("/health/live", 200)] {
                try await wire.send(TestService.request("GET", path))
                let got = try #require(try await wire.answer())
                try await wire.send(TestService.request("HEAD", path))
                let head = try #require(try await wire.answer(toHead: true))
                #expect(head.status == status)
                #expect(head["content-type"] == got["content-type"])
                if status == 200 { #expect(head["content-length"] == got["content-length"]) }
            }
        }
    }

    @Test func `an id that is none, or overflows, is 404`() async throws {
        try await TestService.with(Things.routes) { service in
            for id in [
                "0", "-1", "+1", "1.0", "1e3", "abc", "9223372036854775808", "99999999999999999999999", "1x", "1 ", "٣",
            ] {
                try expectProblem(
                    try await service.send(
                        "GET",
                        "/api/v1/things/\(id.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? id)"),
                    .notFound)
            }
            #expect(try await service.send("GET", "/api/v1/things/9223372036854775807").status == 200)
            let uuid = UUID()
            let found = try await service.send("GET", "/api/v1/users/\(uuid.uuidString)")
            #expect(try found.json()["id"] as? String == uuid.uuidString.lowercased())
            for id in [
                "1", "x", uuid.uuidString + "0", "{\(uuid.uuidString)}", String(uuid.uuidString.dropLast()) + "g",
            ] {
                let path = id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? id
                try expectProblem(try await service.send("GET", "/api/v1/users/\(path)"), .notFound)
            }
            try expectProblem(try await service.send("GET", "/api/v1/slugs/%ff"), .notFound)
            try expectProblem(try await service.send("GET", "/api/v1/slugs/%zz"), .notFound)
        }
    }

    @Test func `a query that is no text is 400`() async throws {
        let routes = [
            Route(.get, "/q", access: .public) { request in
                let query = try request.query
                let page = try query.integer("page", 1...9)
                return .json { $0.object { $0.field("page", page) } }
            }
        ]
        try await TestService.with(routes) { service in
            #expect(try await service.send("GET", "/q?page=3&page=4").text == #"{"page":4}"#)
            #expect(try await service.send("GET", "/q").text == #"{"page":null}"#)
            for query in [
                "page=0", "page=10", "page=x", "page=99999999999999999999", "page=", "page=%ff", "page=%0", "page=1%00",
                "%ff=1",
            ] {
                try expectProblem(try await service.send("GET", "/q?\(query)"), .invalid)
            }
        }
    }

    // MARK: Failures

    @Test func `an unknown error is 500, says nothing, and is in the log with the request's id`() async throws {
        try await TestService.with(Things.routes) { service in
            let answer = try await service.send("GET", "/api/v1/surprise?token=hush", fields: ["x-request-id: abc-1"])
            try expectProblem(answer, .internal)
            #expect(!answer.text.contains("Surprise") && !answer.text.contains("select"))
            #expect(answer["x-request-id"] == "abc-1")
            let line = try #require(service.log.lines.first { $0.contains(#""level":"error""#) })
            let json = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(json["request_id"] as? String == "abc-1")
            #expect((json["error_type"] as? String)?.contains("Surprise") == true)
            #expect(json["route"] as? String == "GET /api/v1/surprise")
        }
    }

    @Test func `what is away is 503 with Retry-After`() async throws {
        try await TestService.with(Things.routes) { service in
            for path in ["/api/v1/away", "/api/v1/cancelled"] {
                let answer = try await service.send("GET", path)
                try expectProblem(answer, .temporarilyUnavailable)
                #expect(answer["retry-after"] == "1")
            }
            let limited = try await service.send("GET", "/api/v1/limited")
            try expectProblem(limited, .tooManyRequests)
            #expect(limited["retry-after"] == "42")
            #expect(!service.log.text.contains(#""level":"error""#))
        }
    }

    @Test func `each request is one line, with its trace and without its secrets`() async throws {
        try await TestService.with(Things.routes) { service in
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            _ = try await service.send(
                "POST", "/api/v1/things?token=hush1", as: Things.user,
                fields: [
                    "authorization: Token hush2", "cookie: hush3", "x-request-id: r-1",
                    "traceparent: 00-\(trace)-00f067aa0ba902b7-01",
                ], body: #"{"name":"hush4"}"#)
            _ = try await service.send("GET", "/hush5/x")
            _ = try await service.send("GET", "/health/live", as: nil)
            let lines = service.log.lines.filter { $0.contains(#""message":"request""#) }
            #expect(lines.count == 2)
            let first = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
            #expect(first["method"] as? String == "POST")
            #expect(first["route"] as? String == "/api/v1/things")
            #expect(first["status"] as? Int == 201)
            #expect(first["duration_us"] as? Int != nil)
            #expect(first["request_id"] as? String == "r-1")
            #expect(first["trace_id"] as? String == trace)
            #expect(!service.log.text.contains("hush"))
            let metrics = String(buffer: service.registry.exposition())
            #expect(
                metrics.contains(#"http_server_requests_total{method="POST",route="/api/v1/things",status="201"} 1"#))
            #expect(metrics.contains(#"http_server_request_duration_seconds_count{method="none",route="none"} 1"#))
        }
    }

    @Test func `a request id that is not fit for a log is replaced`() async throws {
        try await TestService.with(Things.routes) { service in
            for id in ["a b", String(repeating: "x", count: 65), "a\"b", "ü"] {
                let answer = try await service.send("GET", "/api/v1/things", fields: ["x-request-id: \(id)"])
                #expect(answer["x-request-id"]?.utf8.count == 32)
            }
        }
    }
}
