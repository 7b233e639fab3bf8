import ServiceKit

extension Calls {
    /// Everything that calls answers.
    var routes: RouteTable {
        let path = "/api/v1/call-requests"
        return RouteTable([
            Route(.post, path, access: .user, handler: create),
            Route(.get, path, access: .user, handler: list),
            Route(.get, "\(path)/{id}", access: .user, handler: show),
            Route(.patch, "\(path)/{id}/accept", access: .user, handler: accept),
            Route(.patch, "\(path)/{id}/decline", access: .user, handler: decline),
            Route(.patch, "\(path)/{id}/new-times", access: .user, handler: suggestTimes),
            Route(.patch, "\(path)/{id}/agreed-time", access: .user, handler: agree),
            ledger.route(for: ["accounts", "gateway"]),
        ])
    }
}
