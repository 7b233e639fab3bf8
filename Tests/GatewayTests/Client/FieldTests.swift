import Foundation
import Identity
import TestKit
import Testing

@testable import GatewayService

@Suite("Fields that stay behind, and fields that are the gateway's own") struct FieldTests {
    private static let path = "/api/v1/heroes/1"

    /// The head that the upstream sees.
    private static func seen(_ fields: String, path: String = path) async throws -> (RawHead?, RawAnswer?) {
        let upstream = try await StubUpstream.start(answering: "ok")
        return try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let got = try await gateway.ask("GET \(path) HTTP/1.1\r\nhost: test\r\n\(fields)\r\n")
            return (upstream.heads.last, got)
        }
    }

    @Test func `what is of the client's connection only stays behind`() async throws {
        let (head, _) = try await Self.seen(
            """
            connection: keep-alive, x-mine, Authorization\r
            x-mine: secret\r
            keep-alive: timeout=5\r
            te: trailers\r
            trailer: x\r
            upgrade: websocket\r
            proxy-connection: keep-alive\r
            proxy-authorization: Basic x\r
            http2-settings: x\r
            x-kept: yes\r\n
            """)
        let seen = try #require(head)
        for name in [
            "x-mine", "keep-alive", "te", "trailer", "upgrade", "proxy-connection", "proxy-authorization",
            "http2-settings", "connection",
        ] {
            #expect(seen[name] == nil, "\(name)")
        }
        #expect(seen["x-kept"] == "yes")
    }

    @Test func `naming a field of the gateway's own in Connection takes nothing away`() async throws {
        let (head, _) = try await Self.seen(
            "connection: x-techheroes-identity, x-request-id, x-forwarded-for, host, traceparent\r\n")
        let seen = try #require(head)
        #expect(seen["x-techheroes-identity"] != nil)
        #expect(seen["x-request-id"] != nil)
        #expect(seen["x-forwarded-for"] == "127.0.0.1")
        #expect(seen["host"]?.hasPrefix("127.0.0.1:") == true)
        #expect(seen["traceparent"] != nil)
    }

    @Test func `what is of the upstream's connection only stays behind`() async throws {
        let upstream = try await StubUpstream.start { _, connection in
            try await connection.send(
                """
                HTTP/1.1 200 OK\r
                connection: X-Internal, keep-alive\r
                x-internal: secret\r
                keep-alive: timeout=9\r
                proxy-authenticate: Basic\r
                upgrade: h2c\r
                trailer: x\r
                x-techheroes-debug: secret\r
                x-request-id: another\r
                x-kept: yes\r
                set-cookie: a=1\r
                set-cookie: b=2\r
                content-length: 2\r
                \r
                ok
                """)
            return .keep
        }
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let got = try #require(try await gateway.ask(request("GET", Self.path, ["x-request-id": "mine"])))
            for name in [
                "x-internal", "keep-alive", "proxy-authenticate", "upgrade", "trailer", "x-techheroes-debug",
                "connection",
            ] {
                #expect(got[name] == nil, "\(name)")
            }
            #expect(got["x-kept"] == "yes")
            #expect(got.all("set-cookie") == ["a=1", "b=2"])
            #expect(got.all("x-request-id") == ["mine"])
        }
    }

    /// Other case, twice, and alone on a route that anybody may ask for.
    @Test(arguments: [
        "x-techheroes-identity: forged\r\n", "X-TechHeroes-Identity: forged\r\n",
        "x-techheroes-identity: forged\r\nX-TECHHEROES-IDENTITY: forged\r\n", "x-techheroes-staff: forged\r\n",
        "x-forwarded-for: forged\r\n", "X-Forwarded-Host: forged\r\n", "forwarded: for=forged\r\n",
        "x-real-ip: forged\r\n", "via: forged\r\n",
    ])
    func `who asks is the gateway's to say`(fields: String) async throws {
        let (head, got) = try await Self.seen(fields)
        #expect(got?.status == 200)
        let seen = try #require(head)
        #expect(!seen.fields.contains { $0.value.contains("forged") })
        #expect(seen.all("x-techheroes-identity").count == 1)
        let seal = IdentitySeal(try testSecret())
        let claims = seal.verify(
            try #require(seen["x-techheroes-identity"]), method: "GET", path: Self.path,
            now: Int64(Date.now.timeIntervalSince1970))
        #expect(claims == .anonymous)
    }

    @Test func `an identity with an underscore is refused`() async throws {
        let (head, got) = try await Self.seen("x_techheroes_identity: forged\r\n")
        #expect(got?.status == 400)
        #expect(head == nil)
    }

    @Test func `ids and traces go on, when they are sane`() async throws {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let (head, got) = try await Self.seen("x-request-id: abc-1.2_3\r\ntraceparent: \(trace)\r\ntracestate: a=b\r\n")
        let seen = try #require(head)
        #expect(seen["x-request-id"] == "abc-1.2_3")
        #expect(got?["x-request-id"] == "abc-1.2_3")
        #expect(seen["traceparent"]?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") == true)
        #expect(seen["traceparent"]?.contains("b7ad6b7169203331") == false)
        #expect(seen["tracestate"] == "a=b")
        let (other, answer) = try await Self.seen("x-request-id: \"bad\"\r\ntraceparent: 00-xx\r\ntracestate: a=b\r\n")
        #expect(other?["x-request-id"]?.count == 32)
        #expect(other?["x-request-id"] == answer?["x-request-id"])
        #expect(other?["traceparent"]?.count == 55)
        #expect(other?["tracestate"] == nil)
    }

    @Test func `the access log tells neither query nor token`() async throws {
        let upstream = try await StubUpstream.start(answering: "ok")
        try await RunningGateway.with(heroes: [upstream.port]) { gateway in
            let token = "0123456789abcdef0123456789abcdef"
            _ = try await gateway.ask(
                request(
                    "GET", "/api/v1/heroes/secretpath?code=secretcode",
                    ["authorization": "Token \(token)", "x-request-id": "find-me"]))
            _ = try await gateway.ask(
                "GET /api/v1/heroes/secretpath HTTP/1.1\r\nhost: a b\r\nauthorization: \(token)\r\n\r\n")
            try await eventually("lines in the log") { gateway.log.split(separator: "\n").count >= 2 }
            #expect(!gateway.log.contains("secret"))
            #expect(!gateway.log.contains(token))
            let line = try #require(gateway.log.split(separator: "\n").first { $0.contains("find-me") })
            let json = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(json["route"] as? String == "/api/v1/heroes")
            #expect(json["method"] as? String == "GET")
            #expect(json["status"] as? Int == 200)
            #expect(json["service"] as? String == "gateway")
            #expect((json["trace_id"] as? String)?.count == 32)
        }
    }
}
