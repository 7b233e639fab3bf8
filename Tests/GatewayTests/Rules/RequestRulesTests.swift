import NIOHTTP1
import ServiceKit
import Testing

@testable import GatewayService

@Suite struct RequestRulesTests {
    static func check(
        _ method: HTTPMethod = .GET, _ uri: String = "/api/v1/heroes", version: HTTPVersion = .http1_1,
        _ fields: [(String, String)] = [("Host", "example.org")]
    ) -> Result<RequestShape, Problem> {
        RequestRules.check(
            HTTPRequestHead(version: version, method: method, uri: uri, headers: HTTPHeaders(fields)),
            limits: GatewayLimits())
    }

    static func status(_ result: Result<RequestShape, Problem>) -> Int {
        if case .failure(let problem) = result { problem.status } else { 200 }
    }

    @Test(
        arguments: [
            [], [("Host", "a"), ("host", "a")], [("Host", "")], [("Host", "user@example.org")], [("Host", "a, b")],
            [("Host", "a,b")], [("Host", "example.org/path")], [("Host", "http://example.org")], [("Host", "a b")],
            [("Host", "a:b")], [("Host", "a:")], [("Host", "a:65536")], [("Host", "a:123456")], [("Host", ":80")],
            [("Host", "[::1")], [("Host", "[x]")], [("Host", "a?b")], [("Host", "a#b")], [("Host", "é")],
        ] as [[(String, String)]])
    func aHostThatIsMissingDoubleOrOddIsRefused(_ fields: [(String, String)]) {
        #expect(Self.status(Self.check(fields: fields)) == 400)
    }

    @Test(arguments: ["example.org", "EXAMPLE.org:8080", "127.0.0.1", "[::1]:80", "[::1]", "localhost:0", "a-b.c_d"])
    func anOrdinaryHostPasses(_ host: String) {
        #expect(Self.status(Self.check(fields: [("Host", host)])) == 200)
    }

    @Test func http10NeedsNoHost() {
        #expect(Self.status(Self.check(version: .http1_0, [])) == 200)
        #expect(Self.status(Self.check(version: .http1_0, [("Host", "a b")])) == 400)
    }

    @Test func anAbsoluteTargetAgreesWithHost() {
        #expect(Self.status(Self.check(.GET, "http://example.org/api/v1/heroes")) == 200)
        #expect(Self.status(Self.check(.GET, "http://EXAMPLE.org/api/v1/heroes")) == 200)
        #expect(Self.status(Self.check(.GET, "http://other.org/api/v1/heroes")) == 400)
        #expect(Self.status(Self.check(.GET, "http://user@example.org/api/v1/heroes")) == 400)
    }

    @Test(arguments: [HTTPMethod.CONNECT, .TRACE, .PROPFIND, .RAW(value: "FOO"), .SEARCH])
    func unusualMethodsAreRefused(_ method: HTTPMethod) {
        #expect(Self.status(Self.check(method)) == 405)
    }

    @Test(arguments: ["*", "/a#b", "/a%00", "/%0d%0aX:1", "a", "/a\\b"])
    func oddTargetsAreRefused(_ target: String) {
        #expect(Self.status(Self.check(.GET, target)) == 400)
    }

    @Test(
        arguments: [
            [("Content-Length", "005")], [("Content-Length", "+5")], [("Content-Length", "-1")],
            [("Content-Length", "")],
            [("Content-Length", "5, 5")], [("Content-Length", "0x5")], [("Content-Length", "5 ")],
            [("Content-Length", "5"), ("Content-Length", "5")], [("Content-Length", "5"), ("Content-Length", "6")],
            [("Transfer-Encoding", "")], [("Transfer-Encoding", "chunked, chunked")],
            [("Transfer-Encoding", "gzip, chunked")],
            [("Transfer-Encoding", "chunked, gzip")], [("Transfer-Encoding", "identity")],
            [("Transfer-Encoding", "xchunked")],
            [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
            [("Transfer-Encoding", "chunked"), ("Content-Length", "5")], [("Transfer-Encoding", "chunked;q=1")],
            [("Transfer_Encoding", "chunked")], [("X_Identity", "1")], [("x-techheroes_identity", "1")], [("a b", "1")],
            [("", "1")], [("X(", "1")], [("Authorization", "a"), ("authorization", "b")],
        ] as [[(String, String)]])
    func fieldsThatTwoReadersCouldReadInTwoWaysAreRefused(_ fields: [(String, String)]) {
        #expect(Self.status(Self.check(.POST, fields: [("Host", "a")] + fields)) == 400)
    }

    static func check(_ method: HTTPMethod = .GET, fields: [(String, String)]) -> Result<RequestShape, Problem> {
        check(method, "/api/v1/heroes", fields)
    }

    @Test func http10HasNoTransferEncoding() {
        #expect(Self.status(Self.check(version: .http1_0, [("Host", "a"), ("Transfer-Encoding", "chunked")])) == 400)
    }

    @Test func framingIsRead() throws {
        #expect(try Self.check(.POST, fields: [("Host", "a"), ("Content-Length", "5")]).get().body == .length(5))
        #expect(try Self.check(.POST, fields: [("Host", "a"), ("Content-Length", "0")]).get().body == .empty)
        #expect(
            try Self.check(.POST, fields: [("Host", "a"), ("Transfer-Encoding", "Chunked")]).get().body == .chunked)
        #expect(try Self.check(.POST, fields: [("Host", "a")]).get().body == .none)
    }

    @Test(arguments: ["1048577", "99999999999999999999999999"])
    func aBodyThatIsTooLargeIsRefusedByItsLength(_ length: String) {
        #expect(Self.status(Self.check(.POST, fields: [("Host", "a"), ("Content-Length", length)])) == 413)
    }

    @Test func sixtyFourFieldsPassAndOneMoreDoesNot() {
        let fields = (0..<63).map { ("x-\($0)", "1") }
        #expect(Self.status(Self.check(fields: [("Host", "a")] + fields)) == 200)
        #expect(Self.status(Self.check(fields: [("Host", "a"), ("y", "1")] + fields)) == 431)
    }

    @Test(arguments: [
        ("close", false), ("Close", false), ("keep-alive", true), ("x-a, close", false), ("keep-alive, x-a", true),
    ])
    func connectionIsRead(_ value: String, _ keepAlive: Bool) throws {
        let shape = try Self.check(fields: [("Host", "a"), ("Connection", value)]).get()
        #expect(shape.keepAlive == keepAlive)
    }

    @Test func fieldsNamedByConnectionAreNoted() throws {
        let shape = try Self.check(fields: [
            ("Host", "a"), ("Connection", "X-Secret , keep-alive"), ("Connection", "y"),
        ]).get()
        #expect(Set(shape.nominated).isSuperset(of: ["x-secret", "y"]))
    }

    @Test func connectionCantTakeAuthorizationAway() throws {
        let fields = [("Host", "a"), ("Connection", "authorization"), ("Authorization", "t")]
        #expect(try Self.check(fields: fields).get().authorization == "t")
    }

    @Test(arguments: [
        "Host", "authorization", "Content-Length", "transfer-encoding", "X-Techheroes-Identity", "connection", "X_A",
        "x-forwarded-for",
    ])
    func trailersMayNotHaveWhatBelongsInTheHeader(_ name: String) {
        #expect(RequestRules.check(trailers: [name: "x"])?.status == 400)
    }

    @Test func ordinaryTrailersPass() {
        #expect(RequestRules.check(trailers: ["Digest": "x"]) == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1", 200), ("GET  / HTTP/1.1", 400), ("GET /  HTTP/1.1", 400), ("GET / HTTP/1.1 ", 400),
        (" GET / HTTP/1.1", 400), ("GET /", 400), ("GET", 400), ("GET\t/ HTTP/1.1", 400), ("GET / x HTTP/1.1", 400),
        ("GET /\u{0} HTTP/1.1", 400), ("GET /é HTTP/1.1", 400),
    ])
    func theRequestLineHasOneSpaceBetweenItsParts(_ line: String, _ status: Int) {
        let bytes = Array(line.utf8)
        let problem = bytes.withUnsafeBytes { RequestRules.check(requestLine: $0, limits: GatewayLimits()) }
        #expect((problem?.status ?? 200) == status)
    }

    @Test func aTargetOfMoreThan4KiBIsTooLong() {
        let bytes = Array("GET /\(String(repeating: "a", count: 4096)) HTTP/1.1".utf8)
        #expect(bytes.withUnsafeBytes { RequestRules.check(requestLine: $0, limits: GatewayLimits()) }?.status == 414)
    }

    @Test(arguments: ["a", "A-b_c.9", String(repeating: "x", count: 64)])
    func aSaneRequestIDIsTaken(_ id: String) {
        #expect(RequestIDs.isSane(id))
    }

    @Test(arguments: ["", "a b", "a\"", "é", "a\r\nb", String(repeating: "x", count: 65)])
    func anOddRequestIDIsReplaced(_ id: String) {
        #expect(!RequestIDs.isSane(id))
    }
}
