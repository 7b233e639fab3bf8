import NIOHTTP1
import ServiceKit
import TestKit
import Testing

@Suite("Who may do what, through the gateway") struct AccessMatrixTests {
    private static let (accounts, heroes, calls) = ("/api/v1/accounts", "/api/v1/heroes", "/api/v1/call-requests")

    /// In an order in which each finds what it needs.
    static let rules: [AccessRule] = [
        .everybody("POST \(accounts)/register", .status(201)),
        .everybody("POST \(accounts)/login", .status(200)),
        .signedIn("DELETE \(accounts)/logout", .status(204)),
        .signedIn("GET \(accounts)/profile", .status(200)),
        .signedIn("PATCH \(accounts)/profile", .status(200)),
        // Let in, with a code that is none.
        .signedIn("POST \(accounts)/verify-email", .status(404)),
        .signedIn("POST \(accounts)/verify-phone", .status(404)),
        .signedIn("POST \(accounts)/change-password", .status(400)),
        .everybody("POST \(accounts)/request-password", .status(200)),
        .everybody("POST \(accounts)/reset-password", .status(404)),
        .signedIn("DELETE \(accounts)/payment-method", .status(204)),
        .signedIn("POST \(accounts)/payment-method", .status(200)),

        .everybody("GET \(heroes)", .status(200)),
        .everybody("GET \(heroes)/{id}", .status(200)),
        .signedIn(
            "POST \(heroes)/apply", .status(201),
            [.unverified: .refused(.emailUnverified), .hero: .status(409), .otherHero: .status(409)]),
        .signedIn("GET \(heroes)/profile", .status(404), [.hero: .status(200), .otherHero: .status(200)]),
        .signedIn(
            "PATCH \(heroes)/profile", .refused(.permissionDenied),
            [.unverified: .refused(.emailUnverified), .hero: .status(200), .otherHero: .status(200)]),
        .signedIn("POST \(heroes)/accept", .refused(.permissionDenied), [.staff: .status(200)]),
        .signedIn("POST \(heroes)/decline", .refused(.permissionDenied), [.staff: .status(200)]),

        // The user has asked already; the others have no verified phone.
        .signedIn(
            "POST \(calls)", .refused(.phoneUnverified),
            [.unverified: .refused(.emailUnverified), .user: .status(409)]),
        .signedIn("GET \(calls)", .status(200)),
        .signedIn(
            "GET \(calls)/{id}", .status(200),
            [.unverified: .refused(.permissionDenied), .otherHero: .refused(.permissionDenied)]),
        .signedIn("PATCH \(calls)/{id}/accept", .refused(.permissionDenied), [.hero: .status(200)]),
        // Let in, and too late.
        .signedIn("PATCH \(calls)/{id}/decline", .refused(.permissionDenied), [.hero: .status(400)]),
        .signedIn(
            "PATCH \(calls)/{id}/new-times", .refused(.permissionDenied), [.user: .status(200), .hero: .status(200)]),
        // One agrees, and then it is agreed.
        .signedIn(
            "PATCH \(calls)/{id}/agreed-time", .refused(.permissionDenied), [.user: .status(200), .hero: .status(400)]),
    ]

    /// What is documented of the three services. Stripe's webhook is for Stripe.
    private static func routes() throws -> [OpenAPIDocument.Operation] {
        let operations = try OpenAPIDocument.load().operations.keys
        return operations.filter { operation in
            [accounts, heroes, calls].contains { operation.path == $0 || operation.path.hasPrefix($0 + "/") }
        }
    }

    @Test func `every route of every service answers every kind of caller as it should`() async throws {
        let stack = try await RunningStack.start()
        let cast = try await AccessCast.gather(stack)
        let cells = try AccessMatrix.cases(of: try Self.routes(), Self.rules)
        #expect(cells.count == 26 * Caller.allCases.count)
        for cell in cells where cell.caller != .unverifiable { try await Self.check(cell, cast) }

        // Nobody can say whose a token is while neither Redis nor accounts is there. (Accounts' own routes are away then.)
        try await stack.redis.kill9()
        try await stack.accounts[0].kill9()
        let rest = cells.filter { $0.caller == .unverifiable && !$0.path.hasPrefix(Self.accounts) }
        #expect(rest.count == 14)
        for cell in rest { try await Self.check(cell, cast) }
        try await stack.end()
    }

    private static func check(_ cell: AccessCase, _ cast: AccessCast) async throws {
        let answer = try await cast.stack.client.ask(
            HTTPMethod(rawValue: cell.method), cast.path(cell), token: try await cast.token(cell), cast.body(cell))
        #expect(
            cell.holds(status: answer.status, code: answer.code, retryAfter: answer.headers.first(name: "retry-after")),
            "\(cell): \(answer.status) \(answer.body.prefix(400))")
    }
}
