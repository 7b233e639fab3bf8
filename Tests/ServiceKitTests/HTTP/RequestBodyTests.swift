import Foundation
import Hummingbird
import Identity
import NIOCore
import Postgres
import ServiceKit
import Testing

@Suite struct RequestBodyTests {
    @Test func `a body must be a JSON object that says it is JSON`() async throws {
        try await TestService.with(Things.routes) { service in
            for type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
                let answer = try await service.send(
                    "POST", "/api/v1/things", fields: ["content-type: \(type)"], body: #"{"name":"x"}"#)
                #expect(answer.status == 201, "\(type)")
                #expect(answer.text == #"{"name":"x"}"#)
                #expect(answer["content-type"] == "application/json")
            }
            for type in [
                "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "",
                "application/jsonp",
                "application/problem+json", "application/json, text/plain",
            ] {
                try expectProblem(
                    try await service.send(
                        "POST", "/api/v1/things", fields: ["content-type: \(type)"], body: #"{"name":"x"}"#),
                    .unsupportedMediaType)
            }
            let untyped = TestService.request("POST", "/api/v1/things", fields: ["content-length: 2"])
            try expectProblem(try await service.send(untyped + "{}"), .unsupportedMediaType)
            for body in ["", "[]", "1", "{", "{} x", "nul", "{\"a\":1,}", String(repeating: "[", count: 60_000)] {
                try expectProblem(try await service.send("POST", "/api/v1/things", body: body), .malformedJSON)
            }
            // Nothing at all, not even a length.
            try expectProblem(try await service.send("POST", "/api/v1/things"), .malformedJSON)
            let nul = try await service.send("POST", "/api/v1/things", body: #"{"name":"a\u0000b"}"#)
            try expectProblem(nul, .invalid)
            #expect((try nul.json()["errors"] as? [String: [String]])?.keys.sorted() == ["name"])
        }
    }

    @Test func `a route that reads no body takes any and none`() async throws {
        try await TestService.with(Things.routes) { service in
            #expect(try await service.send("POST", "/api/v1/ring").status == 200)
            #expect(
                try await service.send("POST", "/api/v1/ring", fields: ["content-type: text/plain"], body: "x").status
                    == 200)
            #expect(
                try await service.send("POST", "/api/v1/hook", fields: ["content-type: text/plain"], body: "xyz").text
                    == "3")
            let gone = try await service.send("DELETE", "/api/v1/things")
            #expect(gone.status == 204)
            #expect(gone["content-length"] == nil)
        }
    }

    @Test func `64 KiB are read, one byte more is 413, however it is sent`() async throws {
        try await TestService.with(Things.routes) { service in
            let limit = ServiceResponder.bodyLimit
            let fits = #"{"name":""# + String(repeating: "x", count: limit - 11) + #""}"#
            #expect(fits.utf8.count == limit)
            try expectProblem(try await service.send("POST", "/api/v1/things", body: fits), .invalid)
            for path in ["/api/v1/things", "/api/v1/ring", "/api/v1/hook"] {
                let answer = try await service.send("POST", path, body: fits + " ")
                try expectProblem(answer, .payloadTooLarge)
                #expect(answer["connection"] == "close")
            }
            // Chunked, and never ending: it is answered all the same, and the connection ends.
            let wire = try await Wire(port: service.port)
            try await wire.send(
                TestService.request(
                    "POST", "/api/v1/things", fields: ["transfer-encoding: chunked", "content-type: application/json"]))
            let chunk = "4000\r\n" + String(repeating: "[", count: 0x4000) + "\r\n"
            for _ in 0..<5 { try await wire.send(chunk) }
            try expectProblem(try #require(try await wire.answer()), .payloadTooLarge)
            #expect(try await wire.isEnded())
        }
    }

    @Test func `a chunked body is read like any other`() async throws {
        try await TestService.with(Things.routes) { service in
            let head = TestService.request(
                "POST", "/api/v1/things", fields: ["transfer-encoding: chunked", "content-type: application/json"])
            let answer = try await service.send(head + "5\r\n{\"nam\r\n7\r\ne\":\"x\"}\r\n0\r\n\r\n")
            #expect(answer.status == 201)
            try expectProblem(try await service.send(head + "0\r\n\r\n"), .malformedJSON)
        }
    }

    @Test func `a body that breaks off is not taken for a whole one`() async throws {
        try await TestService.with(Things.routes) { service in
            let wire = try await Wire(port: service.port)
            try await wire.send(
                TestService.request(
                    "POST", "/api/v1/things", fields: ["transfer-encoding: chunked", "content-type: application/json"])
                    + "c\r\n{\"name\":\"x\"}\r\nzz\r\n")
            try expectProblem(try #require(try await wire.answer()), .badRequest)
            #expect(try await wire.isEnded())
        }
    }

    @Test func `what cannot be parsed is a problem too, and ends the connection`() async throws {
        try await TestService.with(Things.routes) { service in
            for text in [
                "nonsense\r\n\r\n", "GET /a b c HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nbad field: x\r\n\r\n",
                "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
            ] {
                let wire = try await Wire(port: service.port)
                try await wire.send(text)
                let answer = try #require(try await wire.answer(), "\(text)")
                try expectProblem(answer, .badRequest)
                #expect(answer["connection"] == "close")
                #expect(try await wire.isEnded())
            }
            // After a good request on the same connection, in order.
            let wire = try await Wire(port: service.port)
            try await wire.send(TestService.request("GET", "/api/v1/things") + "nonsense\r\n\r\n")
            #expect(try await wire.answer()?.status == 200)
            #expect(try await wire.answer()?.status == 400)
            #expect(try await wire.isEnded())
        }
    }

    @Test func `a request that was answered is not answered again when its body breaks`() async throws {
        try await TestService.with(Things.routes) { service in
            let wire = try await Wire(port: service.port)
            try await wire.send(
                TestService.request("POST", "/nothing", fields: ["transfer-encoding: chunked"]) + "zz\r\n")
            #expect(try await wire.answer()?.status == 404)
            #expect(try await wire.isEnded())
        }
    }

    @Test func `requests on one connection are answered in turn`() async throws {
        try await TestService.with(Things.routes) { service in
            let wire = try await Wire(port: service.port)
            var text = ""
            for index in 1...20 { text += TestService.request("GET", "/api/v1/things/\(index)") }
            try await wire.send(text)
            for index in 1...20 { #expect(try await wire.answer()?.text == "{\"id\":\(index)}") }
        }
    }
}
