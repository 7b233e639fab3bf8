import HeroesDomain
import Hummingbird
import ServiceKit

extension Heroes {
    /// A page of the directory, for anybody.
    func listHeroes(_ request: ServiceRequest) async throws -> Response {
        let page = try PageRequest(try request.query)
        guard let answer = try await directory.page(page) else {
            throw Problem(.notFound, "There is no such page.")
        }
        return answer.response(to: request.head)
    }

    /// One hero of the directory by id or slug, for anybody.
    func showHero(_ request: ServiceRequest) async throws -> Response {
        let text = try request.segment("id")
        let name: HeroName
        if let id = try? request.id() {
            name = .id(id)
        } else if let slug = Slug(text) {
            name = .slug(slug)
        } else {
            throw Problem(.notFound)
        }
        guard let answer = try await directory.hero(name) else {
            throw Problem(.notFound, "There is no such hero.")
        }
        return answer.response(to: request.head)
    }
}
