import Hummingbird
import Postgres
import ServiceKit

extension Heroes {
    /// A hero's own profile.
    func showProfile(_ request: ServiceRequest) async throws -> Response {
        let id = try request.user.id
        let rows = try await postgres.read("SELECT \(Hero.columns) FROM heroes.heroes h WHERE h.user_id = \(id)")
        guard let hero = try rows.first.map(Hero.init) else { throw Problem.noHero }
        return .profile(hero, user: try await accounts.fullUser(id, for: request))
    }
}
