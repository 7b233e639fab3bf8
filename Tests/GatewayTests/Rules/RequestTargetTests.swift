import Testing

@testable import GatewayService

@Suite struct RequestTargetTests {
    @Test(arguments: [
        ("/", "/"), ("/api/v1/heroes", "/api/v1/heroes"), ("/api/v1/heroes/", "/api/v1/heroes/"),
        ("/api/v1/heroes?page=2", "/api/v1/heroes?page=2"),
        ("/api//v1///heroes", "/api/v1/heroes"), ("//api/v1/heroes", "/api/v1/heroes"),
        ("/api/v1/./heroes", "/api/v1/heroes"), ("/api/v1/heroes/.", "/api/v1/heroes/"),
        ("/api/v1/accounts/../../../internal/v1/tokens", "/internal/v1/tokens"),
        ("/api/v1/accounts/..", "/api/v1/"), ("/..", "/"), ("/../../x", "/x"), ("/a/../../b", "/b"),
        ("/api/v1/accounts/%2e%2e/heroes", "/api/v1/heroes"), ("/api/v1/accounts/%2E./heroes", "/api/v1/heroes"),
        ("/api/v1/accounts/%2e%2e?x=1", "/api/v1/?x=1"),
        ("/%61pi/v1/heroes", "/api/v1/heroes"), ("/a%c3%a9", "/a%C3%A9"), ("/a%20b", "/a%20b"),
        ("/...", "/..."), ("/a..b/.c", "/a..b/.c"), ("/a./b", "/a./b"),
        ("/x?y=../..//", "/x?y=../..//"), ("/x?a=%2f%2e", "/x?a=%2f%2e"),
        ("http://example.org/api/v1/heroes?x", "/api/v1/heroes?x"), ("http://example.org", "/"),
        ("HTTP://example.org?x", "/?x"),
    ])
    func aTargetIsNormalised(_ target: String, _ expected: String) throws {
        #expect(try #require(RequestTarget(target)).text == expected)
    }

    @Test(arguments: [
        "", "*", "api", "x/y", "example.org:443", "ftp://example.org/", "http://", "http:///x", "/a#b", "/a\\b",
        "/a?b#c",
        "/a?b\\c", "/%00", "/a?%00", "/%0d%0a", "/a?x=%0D%0A", "/%0a", "/%", "/%2", "/%zz", "/a?%g0", "/a%2fb",
        "/api/v1/accounts/..%2f..%2finternal", "/a%2Fb", "/a%5cb", "/a%5Cb", "/a b", "/a\u{7F}", "/a\u{1}", "/é",
        "/a\"b",
        "/<x>",
    ])
    func whatIsNoTargetIsRefused(_ target: String) {
        #expect(RequestTarget(target) == nil)
    }

    @Test func thePathEndsWhereTheQueryBegins() throws {
        let target = try #require(RequestTarget("/a//b?c=/d"))
        #expect(target.path == "/a/b")
        #expect(target.text == "/a/b?c=/d")
    }

    @Test func anAbsoluteFormNamesItsAuthority() throws {
        #expect(try #require(RequestTarget("http://Example.org:80/x")).authority == "Example.org:80")
        #expect(try #require(RequestTarget("/x")).authority == nil)
    }
}

@Suite struct GatewayRouteTests {
    @Test(arguments: [
        ("/api/v1/accounts", GatewayRoute.service(.accounts)), ("/api/v1/accounts/profile", .service(.accounts)),
        ("/api/v1/heroes/1", .service(.heroes)), ("/api/v1/call-requests/", .service(.calls)),
        ("/health/live", .live), ("/health/live/", .live), ("/health/ready", .ready),
        ("/", .none), ("/api/v1/accountsx", .none), ("/api/v1/account", .none), ("/API/v1/accounts", .none),
        ("/internal/v1/tokens/x", .none), ("/metrics", .none), ("/api/v1/", .none), ("/health", .none),
        ("/health/readyz", .none), ("/api/v1/heroes.json", .none),
    ])
    func onlyWhatBelongsToAServiceIsRouted(_ path: String, _ route: GatewayRoute) {
        #expect(GatewayRoute(path: path[...]) == route)
    }
}
