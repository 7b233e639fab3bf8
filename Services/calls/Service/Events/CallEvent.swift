import CallsDomain
import Events
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What calls publishes of a request. Schemas and samples are in `Services/calls/Events`.
///
/// `call.requested` and `call.reminder_due` are made by the statements that cause them.
enum CallEvent {
    /// The members that all events have, as an expression over the columns of `calls.requests`.
    static let dataOfRow: SQL = """
        json_build_object('id', id, 'user', user_id, 'hero', hero_id, 'hero_user', hero_user_id, 'status', status, \
        'estimated_length', estimated_length)
        """

    /// A timestamptz as events have it.
    static func instant(_ expression: SQL) -> SQL {
        "to_char(\(expression) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    }

    /// - Parameter stored: the request as the move has left it.
    static func event(of move: CallMove, _ stored: StoredRequest, by user: UUID, trace: TraceContext) -> NewEvent {
        NewEvent(
            type(of: move), subject: "\(stored.id)", recipients: [stored.call.requester, stored.call.heroOwner],
            traceparent: trace.traceparent
        ) { json in
            json.field("id", stored.id)
            json.field("user", stored.call.requester)
            json.field("hero", stored.heroID)
            json.field("hero_user", stored.call.heroOwner)
            json.field("status", stored.call.status.rawValue)
            json.field("estimated_length", stored.call.estimatedLength)
            switch move {
            case .accept(let times), .suggest(let times):
                json.field("by", user)
                json.array("times") { json in
                    for time in times.all { json.element(microseconds: time.microseconds) }
                }
            case .decline(let reason):
                json.field("reason", reason)
            case .agree(let time):
                json.field("by", user)
                json.field("agreed_time", microseconds: time.microseconds)
            }
        }
    }

    private static func type(of move: CallMove) -> String {
        switch move {
        case .accept: "call.accepted"
        case .decline: "call.declined"
        case .suggest: "call.times_suggested"
        case .agree: "call.time_agreed"
        }
    }
}
