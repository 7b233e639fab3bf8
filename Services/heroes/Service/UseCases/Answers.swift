import HTTPTypes
import Hummingbird
import NIOCore
import ServiceKit

extension Response {
    /// A hero for the hero, with the user as accounts answered it.
    static func profile(_ hero: Hero, user: ByteBuffer) -> Response {
        var response = Response.json(capacity: 2048) { json in
            json.object { json in
                hero.write(.own, into: &json) { $0.field("user", rawJSON: user.readableBytesView) }
            }
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }
}

extension Problem {
    /// The signed-in user is no hero, where that is what is looked for.
    static let noHero = Problem(.notFound, "You have not applied to be a hero.")
    /// The signed-in user is no hero, where only one may do this.
    static let notAHero = Problem(.permissionDenied, "Only a hero may do this.")
    /// One hero for each user.
    static let appliedAlready = Problem(.conflict, "You have applied already.")
    static let notStaff = Problem(.permissionDenied, "Only staff may review heroes.")
}
