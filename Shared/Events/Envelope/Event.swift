import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One event as its readers get it: a CloudEvents 1.0 JSON envelope (https://github.com/cloudevents/spec), with the
/// extension attributes `position`, `recipients` and `traceparent`.
public struct Event: Sendable, Equatable {
    /// Its place among all events of its source, counted from 1 without a gap, in the order of commits.
    public var position: Int64
    /// The same however often it is told.
    public var id: UUID
    /// The service that published it.
    public var source: String
    /// What happened, in the past tense: `user.registered`.
    public var type: String
    /// The id of what it happened to.
    public var subject: String
    /// The users who may be told of it.
    public var recipients: [UUID]
    /// When it was written down.
    public var time: Timestamp
    /// Ids and what its readers need.
    public var data: [String: JSONValue]
    /// The W3C trace context of the request that caused it.
    public var traceparent: String?

    public init(
        position: Int64, id: UUID, source: String, type: String, subject: String, recipients: [UUID], time: Timestamp,
        data: [String: JSONValue], traceparent: String? = nil
    ) {
        self.position = position
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.recipients = recipients
        self.time = time
        self.data = data
        self.traceparent = traceparent
    }
}
