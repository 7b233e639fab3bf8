import Foundation
import Identity
import ServiceKit
import Testing

@testable import AccountsService

@Suite("The snapshot of users")
struct SnapshotTests {
    @Test("Pages hold every user once, as the event and the route of one user have it, and never more")
    func pages() async throws {
        try await RunningAccounts.with { app in
            var events: [String: [String: JSONValue]] = [:]
            for _ in 0..<5 { _ = try await app.register() }
            for event in try await app.published() where event.type == "user.registered" {
                if case .string(let id)? = event.data["id"] { events[id] = event.data }
            }
            var items: [[String: JSONValue]] = []
            var next: String? = ""
            var pages = 0
            while let after = next {
                let path = "/internal/v1/users?limit=2" + (after.isEmpty ? "" : "&after=\(after)")
                let page = try await app.raw(.GET, path, claims: .service("heroes"))
                #expect(page.status == 200 && page["position"] != nil)
                guard case .array(let elements)? = page["items"] else { throw TestFailure("no items: \(page)") }
                items += elements.compactMap { if case .object(let item) = $0 { item } else { nil } }
                next = page.text("next")
                pages += 1
            }
            #expect(pages == 3 && items.count == 5)
            for item in items {
                guard case .string(let id)? = item["id"] else { throw TestFailure("no id") }
                #expect(item == events[id])
                let one = try await app.raw(.GET, "/internal/v1/users/\(id)/public", claims: .service("calls"))
                #expect(one.members == item)
            }
        }
    }

    @Test("Only services that keep copies may read it, and only by ids and limits that are some")
    func access() async throws {
        try await RunningAccounts.with { app in
            for claims in [Claims.anonymous, .service("gateway"), .service("accounts")] {
                #expect(try await app.raw(.GET, "/internal/v1/users", claims: claims).status == 403)
            }
            for query in ["after=x", "limit=0", "limit=1001", "limit=x"] {
                let answer = try await app.raw(.GET, "/internal/v1/users?\(query)", claims: .service("heroes"))
                #expect(answer.status == 400)
            }
        }
    }
}
