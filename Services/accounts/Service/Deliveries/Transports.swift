import AccountsDomain
import ServiceLifecycle

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Which row of `accounts.deliveries` a message is: the same at every try, and no other message's.
struct DeliveryID: Sendable, Hashable {
    var number: Int64
    /// What happened, so that a number which another database gave as well is told apart.
    var event: UUID

    /// As the left-hand side of a message id.
    var text: String { "\(number).\(event.uuidString.lowercased())" }
}

/// One mail, in words.
struct Mail: Sendable {
    var delivery: DeliveryID
    var to: String
    var toName: String
    var subject: String
    var text: String
    var html: String
    var date: Instant
    /// Where the reader can say that such mail isn't wanted; nil for what nobody can be without.
    var unsubscribe: String?
}

/// One text message, in words.
struct SMS: Sendable {
    var delivery: DeliveryID
    /// Ten digits.
    var to: String
    var body: String
    var date: Instant
}

/// A way for messages to leave.
struct Transport<Content: Sendable>: Sendable {
    /// How many may be on their way at once.
    var width: Int
    /// No try takes longer.
    var longestTry: Duration
    /// What it needs that runs beside it.
    var services: [any Service] = []
    /// Returns once the message has left for good; throws ``DeliveryFailure`` when it has not.
    var send: @Sendable (Content) async throws -> Void
}

/// How messages leave, by channel.
struct Transports: Sendable {
    var mail: Transport<Mail>
    var sms: Transport<SMS>
}

/// Why a message did not leave.
struct DeliveryFailure: Error, Hashable, CustomStringConvertible {
    /// Words for operators, without address, code or contents.
    var reason: String
    /// It was refused for good: trying again would not help.
    var isPermanent: Bool
    /// The other side asked not to be tried again before.
    var retryAfter: Duration?

    var description: String { reason }
}
