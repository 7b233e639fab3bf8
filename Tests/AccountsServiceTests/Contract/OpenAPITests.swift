import Foundation
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

@Suite("The OpenAPI document and what accounts serves")
struct OpenAPITests {
    @Test("Every route is documented with who may use it and what it reads, and every documented one is served")
    func routes() async throws {
        let document = try OpenAPIDocument.load()
        let documented = document.operations.filter { $0.key.path.hasPrefix(RunningAccounts.path) }
        try await RunningAccounts.with { app in
            // Nobody but Stripe calls the webhook, and it documents what it sends.
            let routes = app.table.routes.filter {
                $0.path.hasPrefix("/api/") && $0.path != RunningAccounts.path + "/stripe-webhook"
            }
            #expect(!routes.isEmpty)
            #expect(
                Set(documented.keys.map(\.description)) == Set(routes.map(\.description)),
                "documented only, served only: \(Set(documented.keys.map(\.description)).symmetricDifference(Set(routes.map(\.description))))"
            )
            for route in routes {
                let details = documented[.init(method: route.method.rawValue, path: route.path)]
                #expect(details?.isPublic == (route.access == .public), "\(route)")
                #expect(details?.hasBody == (route.accepts == .json), "\(route)")
                let always =
                    [503] + (route.accepts == .json ? [400, 413, 415] : []) + (route.access == .user ? [403] : [])
                #expect(details?.statuses.isSuperset(of: always) == true, "\(route): \(details?.statuses ?? [])")
            }
        }
    }

    @Test("No reference leads nowhere, nothing is left over, and each operation has an id of its own")
    func whole() throws {
        let document = try OpenAPIDocument.load()
        #expect(document.loose.isEmpty)
        #expect(document.ambiguousIDs.isEmpty)
        #expect(document.operations.keys.allSatisfy { $0.path.hasPrefix("/api/v1/") && !$0.path.hasSuffix("/") })
    }

    @Test("Every kind of problem is in the document's list, and no other")
    func codes() throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: package.appendingPathComponent("api/openapi.yaml"), encoding: .utf8)
        let list = try #require(
            text.firstMatch(of: /\n        code:\n          type: string\n          enum:\n((?: {12}- [a-z_]+\n)+)/))
        let listed = list.1.matches(of: /- ([a-z_]+)/).map { String($0.1) }
        #expect(listed.sorted() == ProblemCode.allCases.map(\.rawValue).sorted())
    }

    @Test("A document that keeps to another style is refused rather than half read")
    func strict() throws {
        let head = "paths:\n"
        for text in [
            "  register:\n", "  /a:\n    trace:\n", "  /a: {}\n", "  /a:\n    get: {}\n", "  /a:\n    get:\n    get:\n",
            "  /a:\n    get:\n      responses:\n        \"2XX\":\n", "  /a:\n\tget:\n",
        ] {
            #expect(throws: OpenAPIDocument.Malformed.self) { try OpenAPIDocument(head + text) }
        }
        let good = try OpenAPIDocument(
            head
                + "  /a/{id}:\n    get:\n      security: []\n      responses:\n        \"200\": { $ref: \"#/components/x/y\" }\n"
        )
        #expect(good.operations[.init(method: "GET", path: "/a/{id}")]?.statuses == [200])
        #expect(good.loose == ["nowhere: /components/x/y"])
    }
}
