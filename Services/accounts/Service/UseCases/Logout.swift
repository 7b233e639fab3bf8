import Hummingbird
import ServiceKit

extension Accounts {
    /// The token of the request ends.
    func logout(_ request: ServiceRequest) async throws -> Response {
        let user = try request.user
        let changes = try await tokens.revoke(
            user.tokenID, of: user.id, at: now(), trace: request.trace, in: postgres)
        try await tokens.settle(changes, postgres)
        return .empty(.noContent)
    }
}
