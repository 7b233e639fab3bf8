import Hummingbird
import ServiceKit

extension Calls {
    /// A page of all requests that the signed-in user is party to.
    func list(_ request: ServiceRequest) async throws -> Response {
        let user = try request.user
        let wanted = try PageRequest(try request.query)
        let now = now()
        let page = try await complete(request.trace) {
            let rows = try await postgres.read(RequestPage.select(of: user.id, wanted, at: now))
            return try RequestPage(rows, wanted)
        } strangers: {
            Set($0.requests.flatMap(\.strangers))
        }
        guard let page else { throw Problem.noSuchPage }
        var response = Response.json(capacity: 1024 * (page.requests.count + 1)) { json in
            json.object { json in
                json.field("count", page.count)
                json.field("next", page.next.map { pages.url(wanted, at: $0) })
                json.field("previous", page.previous.map { pages.url(wanted, at: $0) })
                json.array("results") { json in
                    for request in page.requests { request.write(into: &json) }
                }
            }
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
