import Foundation
import Identity
import NIOCore
import NIOHTTP1
import ServiceKit
import TestKit
import Testing

@testable import HeroesService

@Suite("Who may do what")
struct AccessTests {
    private static let path = RunningHeroes.path

    static let rules: [AccessRule] = [
        .signedIn(
            "POST \(path)/apply", .status(201),
            [.unverified: .refused(.emailUnverified), .hero: .status(409), .otherHero: .status(409)]),
        .signedIn("GET \(path)/profile", .status(404), [.hero: .status(200), .otherHero: .status(200)]),
        .signedIn(
            "PATCH \(path)/profile", .refused(.permissionDenied),
            [.unverified: .refused(.emailUnverified), .hero: .status(200), .otherHero: .status(200)]),
        .signedIn("POST \(path)/accept", .refused(.permissionDenied), [.staff: .status(200)]),
        .signedIn("POST \(path)/decline", .refused(.permissionDenied), [.staff: .status(200)]),
        .everybody("GET \(path)", .status(200)),
        .everybody("GET \(path)/{id}", .status(200)),
    ]

    @Test("Every route answers every kind of caller as it should")
    func matrix() async throws {
        try await RunningHeroes.with { app in
            for cell in try AccessMatrix.cases(of: app.table, Self.rules) {
                // Everybody is new in each, so that no cell depends on another.
                let hero = try await app.acceptedHero("A", "Hero")
                let claims: Claims =
                    switch cell.caller {
                    case .anonymous, .revoked: .anonymous
                    case .unverifiable: .unverifiable
                    case .unverified: .user(.of(app.accounts.register().id, []))
                    case .user: .user(.of(app.accounts.register().id, [.emailVerified, .phoneVerified]))
                    case .hero: .user(hero.user)
                    case .otherHero: .user(try await app.acceptedHero("Other", "Hero").user)
                    case .staff: .user(.of(app.accounts.register().id, [.emailVerified, .staff]))
                    }
                let body: String? =
                    switch cell.path {
                    case "\(Self.path)/apply": RunningHeroes.application()
                    case "\(Self.path)/profile" where cell.method == "PATCH": #"{"rate_in_cents":7}"#
                    case "\(Self.path)/accept", "\(Self.path)/decline": #"{"hero_id":\#(hero.heroID)}"#
                    default: nil
                    }
                let answer = try await app.raw(
                    HTTPMethod(rawValue: cell.method), cell.path.replacing("{id}", with: hero.slug),
                    body.map(ByteBuffer.init(string:)), claims: claims)
                #expect(
                    cell.holds(
                        status: answer.status, code: answer.text("code"),
                        retryAfter: answer.headers.first(name: "retry-after")), "\(cell): \(answer)")
            }
        }
    }

    @Test("A route that nobody has a rule for is found, and so is a rule for no route")
    func complete() async throws {
        try await RunningHeroes.with { app in
            #expect(throws: AccessMatrix.Incomplete.self) {
                try AccessMatrix.cases(of: app.table, Array(Self.rules.dropLast()))
            }
            #expect(throws: AccessMatrix.Incomplete.self) {
                try AccessMatrix.cases(of: app.table, Self.rules + [.everybody("GET /nothing", .status(200))])
            }
        }
    }
}
