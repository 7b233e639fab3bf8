import AccountsDomain
import Hummingbird
import ServiceKit

extension Accounts {
    /// A user's own profile: one read on a shared connection.
    func showProfile(_ request: ServiceRequest) async throws -> Response {
        let rows = try await postgres.read(ProfileRows.select(try request.user.id, at: now()))
        guard let profile = try rows.first.map(ProfileRows.decode) else { throw Problem.userGone }
        return .profile(profile)
    }
}
