import Foundation
import Hummingbird
import Identity
import NIOCore
import Postgres
import ServiceKit
import Testing

/// A service with a route of each kind.
enum Things {
    static let user = Claims.user(.init(id: UUID(), flags: [.emailVerified], tokenID: 7))

    struct Surprise: Error {
        let secret = "select * from secrets where token = 'abc'"
    }

    struct Away: UnavailableError {
        let isUnavailable = true
    }

    static let routes: [Route] = [
        Route(.get, "/api/v1/things", access: .public) { request in
            .json { $0.object { $0.field("q", (try? request.query)?["q"]) } }
        },
        Route(.post, "/api/v1/things", access: .public) { request in
            var fields = try request.fields()
            let name = fields.string("name", 1...5)
            let (value) = try fields.finish(name)
            return .json(.created) { $0.object { $0.field("name", value) } }
        },
        Route(.get, "/api/v1/things/{id}", access: .public) { request in
            let id = try request.id()
            return .json { $0.object { $0.field("id", id) } }
        },
        Route(.get, "/api/v1/users/{id}", access: .public) { request in
            let id = try request.uuid("id")
            return .json { $0.object { $0.field("id", id) } }
        },
        Route(.get, "/api/v1/slugs/{slug}", access: .public) { request in
            let slug = try request.segment("slug")
            return .json { $0.object { $0.field("slug", slug) } }
        },
        Route(.get, "/api/v1/mine", access: .user) { request in
            let id = try request.user.id
            return .json { $0.object { $0.field("id", id) } }
        },
        Route(.get, "/internal/v1/things", access: .service(["gateway"])) { _ in .text(.ok, "x") },
        Route(.delete, "/api/v1/things", access: .public) { _ in .empty(.noContent) },
        Route(.post, "/api/v1/ring", access: .public, accepts: .nothing) { _ in .empty() },
        Route(.post, "/api/v1/hook", access: .public, accepts: .bytes) { request in
            .text(.ok, "\(request.body.readableBytes)")
        },
        Route(.get, "/api/v1/surprise", access: .public) { _ in throw Surprise() },
        Route(.get, "/api/v1/away", access: .public) { _ in throw Away() },
        Route(.get, "/api/v1/cancelled", access: .public) { _ in throw CancellationError() },
        Route(.get, "/api/v1/limited", access: .public) { _ in throw Problem(.tooManyRequests, retryAfter: 42) },
    ]
}
