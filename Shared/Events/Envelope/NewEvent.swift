import NIOCore
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Something that has happened, about to be written to the ``Outbox`` with the change that made it so.
public struct NewEvent: Sendable, Equatable {
    /// What happened, in the past tense: `user.registered`.
    public var type: String
    /// The id of what it happened to. Events of one subject reach every consumer in the order of their commits.
    public var subject: String
    /// The users who may be told of it.
    public var recipients: [UUID]
    /// A JSON object with ids and what the readers need; never a secret, an email or a phone.
    public var data: String
    /// The W3C trace context of the request that caused it.
    public var traceparent: String?

    /// - Parameters:
    ///   - type: what happened.
    ///   - subject: the id of what it happened to.
    ///   - recipients: the users who may be told of it.
    ///   - data: the text of a JSON object.
    ///   - traceparent: the W3C trace context.
    public init(
        _ type: String, subject: String, recipients: [UUID] = [], data: String, traceparent: String? = nil
    ) {
        self.type = type
        self.subject = subject
        self.recipients = recipients
        self.data = data
        self.traceparent = traceparent
    }

    /// - Parameters:
    ///   - type: what happened.
    ///   - subject: the id of what it happened to.
    ///   - recipients: the users who may be told of it.
    ///   - traceparent: the W3C trace context.
    ///   - members: writes the members of ``data``.
    public init(
        _ type: String, subject: String, recipients: [UUID] = [], traceparent: String? = nil,
        members: (inout JSONWriter) -> Void
    ) {
        var json = JSONWriter(capacity: 256)
        json.object(members)
        self.init(
            type, subject: subject, recipients: recipients, data: String(buffer: json.buffer), traceparent: traceparent)
    }
}
