import Hummingbird
import ServiceKit

extension Accounts {
    /// The token of the request ends.
    func logout(_ request: ServiceRequest) async throws -> Response {
        let user = try request.user
        try await tokens.settle(try await tokens.revoke(user.tokenID, of: user.id, at: now(), in: postgres))
        return .empty(.noContent)
    }
}
