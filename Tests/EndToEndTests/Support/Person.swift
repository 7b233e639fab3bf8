import Foundation

/// Somebody with an account.
struct Person: Sendable {
    let email: String
    let password: String
    let token: String

    static func address() -> String { "\(UUID().uuidString.prefix(13).lowercased())@example.com" }
}

extension RunningStack {
    /// Registers somebody.
    func person(verified: Bool = false) async throws -> Person {
        let (email, password) = (Person.address(), "correct-horse-1")
        let answer = try await client.ask(.POST, "/api/v1/accounts/register", Self.registration(email, password))
        guard answer.status == 201, let token = answer.text("token") else { throw Unexpected(answer) }
        let person = Person(email: email, password: password, token: token)
        if verified {
            let code = try await mailedCode("verify-email", to: email)
            let verified = try await client.ask(
                .POST, "/api/v1/accounts/verify-email", token: token, #"{"token": "\#(code)"}"#)
            guard verified.status == 200 else { throw Unexpected(verified) }
        }
        return person
    }

    /// A new token for somebody.
    func login(_ person: Person) async throws -> String {
        let answer = try await client.ask(
            .POST, "/api/v1/accounts/login", #"{"email": "\#(person.email)", "password": "\#(person.password)"}"#)
        guard answer.status == 200, let token = answer.text("token") else { throw Unexpected(answer) }
        return token
    }

    static func registration(_ email: String, _ password: String) -> String {
        #"{"first_name": "Ada", "last_name": "Lovelace", "email": "\#(email)", "password": "\#(password)"}"#
    }
}

/// An answer that a test can't go on with.
struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ answer: Answer) { description = "\(answer.status) \(answer.body)" }
}
