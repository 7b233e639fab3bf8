import CallsDomain
import Hummingbird
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A call request with what goes around its rules: its number, its words, and the people that are shown with it.
struct StoredRequest: Sendable, Hashable {
    var id: Int64
    var heroID: Int64
    var message: String
    var call: CallRequest
    var created: Instant
    var updated: Instant
    /// The public blocks of all who suggested times.
    var people: [UUID: PublicUser] = [:]

    /// Whose block is missing, so that this can't be shown yet.
    var strangers: Set<UUID> {
        Set(call.suggestions.lazy.map(\.by).filter { people[$0] == nil })
    }

    func write(into json: inout JSONWriter) {
        json.object { json in
            json.field("id", id)
            json.field("user", call.requester)
            json.field("hero", heroID)
            json.field("message", message)
            json.field("estimated_length", call.estimatedLength)
            json.field("status", call.status.rawValue)
            json.field("reason", call.reason)
            json.array("times") { json in
                for suggestion in call.suggestions {
                    json.object { json in
                        json.object("user") { people[suggestion.by]?.write(into: &$0) }
                        json.field("datetime_one", microseconds: suggestion.times.one.microseconds)
                        json.field("datetime_two", microseconds: suggestion.times.two.microseconds)
                        json.field("datetime_three", microseconds: suggestion.times.three.microseconds)
                        json.field("timestamp", microseconds: suggestion.made.microseconds)
                    }
                }
            }
            json.field("agreed_time", microseconds: call.agreedTime?.microseconds)
            json.field("created", microseconds: created.microseconds)
            json.field("updated", microseconds: updated.microseconds)
        }
    }
}

extension Response {
    /// A call request, for its parties.
    static func callRequest(_ request: StoredRequest) -> Response {
        var response = Response.json(capacity: 1024) { request.write(into: &$0) }
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
