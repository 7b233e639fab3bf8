import ServiceKit

/// The kinds of people who ask a service for something.
public enum Caller: String, CaseIterable, Sendable {
    /// No token.
    case anonymous
    /// A token that was revoked: to a service the same as none, since the gateway vouches for nobody then.
    case revoked
    /// A token of which nobody can say whose it is at the moment.
    case unverifiable
    /// Signed in, without a verified email address.
    case unverified
    /// Signed in, with everything verified, and no hero.
    case user
    /// The hero that the request is about.
    case hero
    /// Another one.
    case otherHero
    /// A member of staff, and no hero.
    case staff
}

/// What a caller gets from a route.
public enum Outcome: Sendable, Hashable {
    /// Let in: the status of an answer that is no refusal.
    case status(Int)
    /// Turned away with 403 and this code.
    case refused(ProblemCode)
    /// Nobody can say now who asks: 503 with `Retry-After`.
    case unknown
}

/// Who may do what on one route, for every kind of caller.
public struct AccessRule: Sendable {
    /// Method and path as the table has them: `POST /api/v1/heroes/apply`.
    public var route: String
    public var outcomes: [Caller: Outcome]

    /// A route that answers everybody alike.
    public static func everybody(_ route: String, _ outcome: Outcome) -> AccessRule {
        AccessRule(route: route, outcomes: Dictionary(uniqueKeysWithValues: Caller.allCases.map { ($0, outcome) }))
    }

    /// A route for those who are signed in.
    ///
    /// - Parameters:
    ///   - others: what signed-in callers get who aren't named.
    ///   - outcomes: what those get who are.
    public static func signedIn(
        _ route: String, _ others: Outcome, _ outcomes: [Caller: Outcome] = [:]
    ) -> AccessRule {
        var rule = everybody(route, others)
        rule.outcomes[.anonymous] = .refused(.notAuthenticated)
        rule.outcomes[.revoked] = .refused(.notAuthenticated)
        rule.outcomes[.unverifiable] = .unknown
        rule.outcomes.merge(outcomes) { $1 }
        return rule
    }
}

/// One cell of the matrix: a route, a caller, and what must come of it.
public struct AccessCase: Sendable, CustomStringConvertible {
    public let method: String
    /// The path of the table, with named segments in braces.
    public let path: String
    public let caller: Caller
    public let outcome: Outcome

    public var description: String { "\(method) \(path) as \(caller.rawValue)" }

    /// Whether an answer is what must come of it.
    public func holds(status: Int, code: String?, retryAfter: String?) -> Bool {
        switch outcome {
        case .status(let expected): status == expected
        case .refused(let refusal): status == 403 && code == refusal.rawValue
        case .unknown: status == 503 && retryAfter != nil
        }
    }
}

/// Every route of a table crossed with every kind of caller. A route without a rule, or a rule without a route, is an
/// error: whoever adds a route says who may use it.
public enum AccessMatrix {
    /// The table and the rules don't go together.
    public struct Incomplete: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - table: of the service; routes for our own processes are left out.
    ///   - rules: one for each other route.
    public static func cases(of table: RouteTable, _ rules: [AccessRule]) throws -> [AccessCase] {
        let routes = table.routes.filter { if case .service = $0.access { false } else { true } }
        return try cases(of: routes.map { .init(method: $0.method.rawValue, path: $0.path) }, rules)
    }

    /// - Parameters:
    ///   - routes: what is documented, for a test that sees no service's table.
    ///   - rules: one for each route. The cases come in their order.
    public static func cases(of routes: [OpenAPIDocument.Operation], _ rules: [AccessRule]) throws -> [AccessCase] {
        let known = Dictionary(routes.map { ($0.description, $0) }) { first, _ in first }
        let named = Set(rules.map(\.route))
        guard known.count == routes.count, named.count == rules.count, Set(known.keys) == named else {
            throw Incomplete(description: "not in both: \(named.symmetricDifference(known.keys))")
        }
        return try rules.flatMap { rule in
            try Caller.allCases.map { caller in
                guard let route = known[rule.route], let outcome = rule.outcomes[caller] else {
                    throw Incomplete(description: "\(rule.route) says nothing of \(caller)")
                }
                return AccessCase(method: route.method, path: route.path, caller: caller, outcome: outcome)
            }
        }
    }
}
