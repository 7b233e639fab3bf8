import Foundation
import NIOHTTP1
import TestKit

/// Somebody with an account.
struct Person: Sendable {
    let id: String
    let email: String
    let password: String
    let token: String
    /// Ten digits, once verified.
    var phone: String?
    /// The number of the hero profile, of those who have one.
    var hero: Int?

    static func address() -> String { "\(UUID().uuidString.prefix(13).lowercased())@example.com" }

    static func number() -> String { "2" + String((0..<9).map { _ in "0123456789".randomElement() ?? "0" }) }
}

extension RunningStack {
    /// Registers somebody.
    func person(verified: Bool = false, firstName: String = "Ada", lastName: String = "Lovelace") async throws -> Person
    {
        let (email, password) = (Person.address(), "correct-horse-1")
        let answer = try await client.insist(
            .POST, "/api/v1/accounts/register", Self.registration(email, password, firstName, lastName))
        guard answer.status == 201, let token = answer.text("token"), let id = answer.text("id") else {
            throw Unexpected(answer)
        }
        let person = Person(id: id, email: email, password: password, token: token)
        if verified {
            let code = try await mailedCode("verify-email", to: email)
            _ = try await asked(.POST, "/api/v1/accounts/verify-email", person, #"{"token": "\#(code)"}"#)
        }
        return person
    }

    /// Somebody who may ask heroes for calls.
    func customer() async throws -> Person {
        var person = try await person(verified: true, firstName: "Cam", lastName: "Newton")
        let number = Person.number()
        _ = try await asked(.PATCH, "/api/v1/accounts/profile", person, #"{"phone": "\#(number)"}"#)
        let code = try await textedCode(to: number)
        _ = try await asked(.POST, "/api/v1/accounts/verify-phone", person, #"{"token": "\#(code)"}"#)
        _ = try await asked(
            .POST, "/api/v1/accounts/payment-method", person, #"{"payment_method": "pm_card_visa"}"#)
        person.phone = number
        return person
    }

    /// Somebody who reviews heroes.
    func staff() async throws -> Person {
        let person = try await person(verified: true, firstName: "Staff", lastName: "Person")
        try await prepare(.accounts, ["staff", "grant", person.email])
        return person
    }

    /// Somebody who has applied, and was accepted if a reviewer is given.
    func hero(acceptedBy staff: Person?, firstName: String = "Tom", lastName: String = "Brady") async throws -> Person {
        var person = try await person(verified: true, firstName: firstName, lastName: lastName)
        let answer = try await client.insist(.POST, "/api/v1/heroes/apply", token: person.token, Self.application)
        guard answer.status == 201, let id = answer.json["id"] as? Int else { throw Unexpected(answer) }
        person.hero = id
        if let staff { _ = try await asked(.POST, "/api/v1/heroes/accept", staff, #"{"hero_id": \#(id)}"#) }
        return person
    }

    /// Asks, again while it is told to come back, and takes only 200 for an answer.
    func asked(_ method: HTTPMethod, _ path: String, _ person: Person, _ body: String? = nil) async throws -> Answer {
        let answer = try await client.insist(method, path, token: person.token, body)
        guard answer.status == 200 else { throw Unexpected(answer) }
        return answer
    }

    /// How long a change of a hero's first name takes to be on the public page.
    ///
    /// - Parameter bound: what it is to stay below, which the caller checks.
    func timeOfNewName(of hero: Person, below bound: Duration) async throws -> Duration {
        var name = "August"
        return try await measured(below: bound) {
            // Another one each time.
            name += "a"
            _ = try await asked(.PATCH, "/api/v1/accounts/profile", hero, #"{"first_name": "\#(name)"}"#)
            let start = ContinuousClock.now
            try await eventually("the new name") {
                let detail = try await client.ask(.GET, "/api/v1/heroes/\(hero.hero ?? 0)")
                return (detail.json["user"] as? [String: Any])?["first_name"] as? String == name
            }
            return ContinuousClock.now - start
        }
    }

    /// A new token for somebody.
    func login(_ person: Person) async throws -> String {
        let answer = try await client.insist(
            .POST, "/api/v1/accounts/login", #"{"email": "\#(person.email)", "password": "\#(person.password)"}"#)
        guard answer.status == 200, let token = answer.text("token") else { throw Unexpected(answer) }
        return token
    }

    static func registration(
        _ email: String, _ password: String, _ firstName: String = "Ada", _ lastName: String = "Lovelace"
    ) -> String {
        """
        {"first_name": "\(firstName)", "last_name": "\(lastName)", "email": "\(email)", "password": "\(password)"}
        """
    }

    static let application = """
        {"discipline": "BE", "title": "Set up a production level REST API", "description": "How I can help you",
        "position": "Backend Engineer", "company": "SpaceX", "short_bio": "A summary of myself", "years_of_exp": 3,
        "rate_in_cents": 100, "linkedin_url": "https://www.linkedin.com/in/tom"}
        """
}

/// An answer that a test can't go on with.
struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ answer: Answer) { description = "\(answer.status) \(answer.body)" }
}
