import ServiceKit

extension Heroes {
    /// Everything that heroes answers.
    var routes: RouteTable {
        RouteTable([
            Route(.post, "/api/v1/heroes/apply", access: .user, handler: apply),
            Route(.get, "/api/v1/heroes/profile", access: .user, handler: showProfile),
            Route(.patch, "/api/v1/heroes/profile", access: .user, handler: changeProfile),
            Route(.post, "/api/v1/heroes/accept", access: .user, handler: accept),
            Route(.post, "/api/v1/heroes/decline", access: .user, handler: decline),
            Route(.get, "/api/v1/heroes", access: .public, handler: listHeroes),
            Route(.get, "/api/v1/heroes/{id}", access: .public, handler: showHero),

            Route(.get, "/internal/v1/heroes", access: .service(["calls"]), handler: snapshot),
            Route(.get, "/internal/v1/heroes/{id}", access: .service(["calls"]), handler: snapshotOfOne),
            ledger.route(for: ["accounts", "calls", "gateway"]),
        ])
    }
}
