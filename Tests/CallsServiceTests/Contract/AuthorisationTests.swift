import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit
import Testing

@testable import CallsService

/// Every route of the table, asked by everybody. A route that is not in the table of what is expected here is a failure.
@Suite struct AuthorisationTests {
    enum Caller: String, CaseIterable, Sendable {
        case requester
        case heroAsked
        case otherHero
        case stranger
        case staff
        case unverified
        case anonymous
        case unverifiable
        case gateway
        case accounts
    }

    /// What somebody who may is answered with the request below, which is open. Everybody else is refused.
    struct Expectation: Sendable {
        var body: @Sendable (RunningCalls, RunningCalls.HeroOwner) -> String?
        /// The status of each who is not refused.
        var allowed: [Caller: Int]
        /// The code for signed-in users who may not.
        var refusal: ProblemCode
    }

    private static let people: Set<Caller> = [.requester, .heroAsked, .otherHero, .stranger, .staff]

    private static func all(_ status: Int, _ callers: Set<Caller>) -> [Caller: Int] {
        Dictionary(uniqueKeysWithValues: callers.map { ($0, status) })
    }

    private static let expectations: [String: Expectation] = [
        // The requester has an open request, and the hero would ask themself.
        "POST /api/v1/call-requests": Expectation(
            body: { RunningCalls.asking($1.id) },
            allowed: [.requester: 409, .heroAsked: 400, .otherHero: 200, .stranger: 200, .staff: 200],
            refusal: .emailUnverified),
        "GET /api/v1/call-requests": Expectation(
            body: { _, _ in nil }, allowed: all(200, people.union([.unverified])), refusal: .permissionDenied),
        "GET /api/v1/call-requests/{id}": Expectation(
            body: { _, _ in nil }, allowed: all(200, [.requester, .heroAsked, .staff]), refusal: .permissionDenied),
        "PATCH /api/v1/call-requests/{id}/accept": Expectation(
            body: { app, _ in app.times(4) }, allowed: [.heroAsked: 200], refusal: .permissionDenied),
        "PATCH /api/v1/call-requests/{id}/decline": Expectation(
            body: { _, _ in #"{"reason":"no"}"# }, allowed: [.heroAsked: 200], refusal: .permissionDenied),
        // An open request: the state refuses whom the rules let in.
        "PATCH /api/v1/call-requests/{id}/new-times": Expectation(
            body: { app, _ in app.times(4) }, allowed: all(400, [.requester, .heroAsked]),
            refusal: .permissionDenied),
        "PATCH /api/v1/call-requests/{id}/agreed-time": Expectation(
            body: { app, _ in app.agreeing(4) }, allowed: all(400, [.requester, .heroAsked]),
            refusal: .permissionDenied),
        "GET /internal/v1/events": Expectation(
            body: { _, _ in nil }, allowed: all(200, [.gateway, .accounts]), refusal: .permissionDenied),
    ]

    @Test func `Every route is used by those who may, and by nobody else`() async throws {
        try await RunningCalls.with { app async throws in
            try await app.withClient { client in
                let routes = try app.table(client).routes
                #expect(Set(routes.map(\.description)) == Set(Self.expectations.keys))
                for route in routes {
                    for caller in Caller.allCases { try await check(route, caller, app) }
                }
            }
        }
    }

    private func check(_ route: Route, _ caller: Caller, _ app: RunningCalls) async throws {
        let expectation = try #require(Self.expectations[route.description])
        // Whoever was let in before may have changed it.
        let (cam, tom) = (app.person(), app.hero())
        let id = try await app.ask(tom, as: cam)
        let before = try await app.sql("SELECT status, updated FROM calls.requests WHERE id = \(id)")
        let claims: Claims =
            switch caller {
            case .requester: .user(cam)
            case .heroAsked: .user(tom.user)
            case .otherHero: .user(app.hero().user)
            case .stranger: .user(app.person())
            case .staff: .user(.init(id: UUID(), flags: UserFlags.verified.union(.staff), tokenID: 1))
            case .unverified: .user(app.person("Una", []))
            case .anonymous: .anonymous
            case .unverifiable: .unverifiable
            case .gateway: .service("gateway")
            case .accounts: .service("accounts")
            }
        let answer = try await app.raw(
            HTTPMethod(rawValue: route.method.rawValue), route.path.replacing("{id}", with: "\(id)"),
            expectation.body(app, tom).map(ByteBuffer.init(string:)), claims: claims)
        let who = "\(route) by \(caller): \(answer)"
        if let status = expectation.allowed[caller] {
            #expect(answer.status == status, "\(who)")
            return
        }
        switch caller {
        case .anonymous where route.access == .user: #expect(answer.has(.notAuthenticated), "\(who)")
        case .unverifiable where route.access == .user: #expect(answer.has(.temporarilyUnavailable), "\(who)")
        case .gateway, .accounts, .anonymous, .unverifiable: #expect(answer.has(.permissionDenied), "\(who)")
        default: #expect(answer.has(expectation.refusal), "\(who)")
        }
        #expect(try await app.sql("SELECT status, updated FROM calls.requests WHERE id = \(id)") == before)
    }
}
