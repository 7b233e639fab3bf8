import AccountsDomain
import HTTPTypes
import Hummingbird
import Identity
import ServiceKit

extension Response {
    /// A profile for its owner, with a token if the request issued one.
    static func profile(_ profile: Profile, token: Token? = nil, _ status: HTTPResponse.Status = .ok) -> Response {
        var response = Response.json(status) { json in
            json.object { profile.write(into: &$0, token: token) }
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }
}

extension Problem {
    /// The signed-in user's row is gone.
    static let userGone = Problem(.notFound, "This user does not exist.")
    /// A code that proves nothing, whatever the reason.
    static let noSuchCode = Problem(.notFound, "This code is wrong, was used, or has expired.")
    /// An address that is somebody's.
    static let emailTaken = Problem(.conflict, "There is already an account with this email address.")
}

extension Fields {
    /// A needed text that makes a value of the domain.
    mutating func made<Value: Sendable>(_ name: String, _ make: (String) throws(InvalidValue) -> Value) -> Value? {
        parsed(name) { text in
            do throws(InvalidValue) {
                return try make(text)
            } catch {
                throw FieldError(error.message)
            }
        }
    }

    /// The code that a client gives back, which is called `token` in every body.
    mutating func code(_ purpose: CodePurpose) -> VerificationCode? {
        made("token") { text throws(InvalidValue) in try VerificationCode(text, for: purpose) }
    }

    /// A change to a text that makes a value of the domain.
    mutating func changedTo<Value: Sendable>(
        _ name: String, nullable: Bool = false, _ make: (String) throws(InvalidValue) -> Value
    ) -> Change<Value> {
        changed(name, nullable: nullable) { text in
            do throws(InvalidValue) {
                return try make(text)
            } catch {
                throw FieldError(error.message)
            }
        }
    }
}
