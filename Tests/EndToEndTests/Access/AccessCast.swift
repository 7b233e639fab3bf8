import TestKit

/// One of every kind of caller, with tokens that accounts gave out, and what they ask about.
struct AccessCast: Sendable {
    let stack: RunningStack
    let unverified: Person
    /// A customer with an open request to the hero.
    let user: Person
    let hero: Person
    let otherHero: Person
    let staff: Person
    /// A hero whom staff has not decided about.
    let applicant: Person
    /// The request.
    let call: Int
    /// A token of the customer's that was good, was used, and then logged out.
    let revoked: String

    static func gather(_ stack: RunningStack) async throws -> AccessCast {
        let staff = try await stack.staff()
        let hero = try await stack.hero(acceptedBy: staff)
        let user = try await stack.customer()
        let asked = try await stack.asked(
            .POST, "/api/v1/call-requests/", user,
            #"{"hero_id": \#(hero.hero ?? 0), "message": "Help", "estimated_length": 30}"#)
        guard let call = asked.json["id"] as? Int else { throw Unexpected(asked) }
        let cast = AccessCast(
            stack: stack, unverified: try await stack.person(firstName: "Una"), user: user, hero: hero,
            otherHero: try await stack.hero(acceptedBy: staff, firstName: "Other"), staff: staff,
            applicant: try await stack.hero(acceptedBy: nil, firstName: "Al"), call: call,
            revoked: try await stack.login(user))
        for path in ["accounts/profile", "call-requests"] {
            let answer = try await stack.client.ask(.GET, "/api/v1/\(path)", token: cast.revoked)
            guard answer.status == 200 else { throw Unexpected(answer) }
        }
        let answer = try await stack.client.ask(.DELETE, "/api/v1/accounts/logout", token: cast.revoked)
        guard answer.status == 204 else { throw Unexpected(answer) }
        return cast
    }

    /// The token that a caller comes with. Where the request uses somebody up, it is a double's.
    func token(_ cell: AccessCase) async throws -> String? {
        let person: Person
        switch cell.caller {
        case .anonymous: return nil
        case .revoked: return revoked
        case .unverified: person = unverified
        case .unverifiable: return user.token
        case .user: person = user
        case .hero: person = hero
        case .otherHero: person = otherHero
        case .staff: person = staff
        }
        switch (cell.path, cell.caller) {
        case ("/api/v1/accounts/logout", _): return try await stack.login(person)
        case ("/api/v1/heroes/apply", .user): return try await stack.person(verified: true).token
        case ("/api/v1/heroes/apply", .staff): return try await stack.staff().token
        default: return person.token
        }
    }

    /// Where the request goes.
    func path(_ cell: AccessCase) -> String {
        cell.path.hasPrefix("/api/v1/call-requests")
            ? cell.path.replacing("{id}", with: "\(call)") : cell.path.replacing("{id}", with: "\(hero.hero ?? 0)")
    }

    /// What whoever may would send.
    func body(_ cell: AccessCase) -> String? {
        guard cell.method == "POST" || cell.method == "PATCH" else { return nil }
        switch cell.path.dropFirst("/api/v1/".count) {
        case "accounts/register": return RunningStack.registration(Person.address(), "correct-horse-1")
        case "accounts/login": return #"{"email": "\#(user.email)", "password": "\#(user.password)"}"#
        case "accounts/profile": return #"{"is_active": true}"#
        case "accounts/verify-email": return #"{"token": "abcdefghjk"}"#
        case "accounts/verify-phone": return #"{"token": "abcdef"}"#
        case "accounts/change-password":
            return #"{"old_password": "not-the-one-1", "new_password": "another-one-2"}"#
        case "accounts/request-password": return #"{"email": "\#(user.email)"}"#
        case "accounts/reset-password": return #"{"token": "abcdefgh", "new_password": "another-one-2"}"#
        case "accounts/payment-method": return #"{"payment_method": "pm_card_visa"}"#
        case "heroes/apply": return RunningStack.application
        case "heroes/profile": return #"{"rate_in_cents": 7}"#
        case "heroes/accept", "heroes/decline": return #"{"hero_id": \#(applicant.hero ?? 0)}"#
        case "call-requests":
            return #"{"hero_id": \#(hero.hero ?? 0), "message": "Help", "estimated_length": 30}"#
        case "call-requests/{id}/accept": return Times.three(from: 24)
        case "call-requests/{id}/decline": return #"{"reason": "No time"}"#
        // Each side's own: none may be suggested twice.
        case "call-requests/{id}/new-times": return Times.three(from: cell.caller == .user ? 48 : 72)
        case "call-requests/{id}/agreed-time": return #"{"agreed_time": "\#(Times.slot(hours: 72))"}"#
        default: return "{}"
        }
    }
}
