import AccountsDomain

/// One mail, in words.
struct Mail: Sendable {
    /// A number that no other mail has.
    var number: Int64
    var to: String
    var toName: String
    var subject: String
    var text: String
    var html: String
    var date: Instant
}

/// One text message, in words.
struct SMS: Sendable {
    /// A number that no other message has.
    var number: Int64
    /// Ten digits.
    var to: String
    var body: String
    var date: Instant
}

/// How messages leave. Each closure returns once the message has left for good.
struct Transports: Sendable {
    var mail: @Sendable (Mail) async throws -> Void
    var sms: @Sendable (SMS) async throws -> Void
}

/// Why a message did not leave.
struct DeliveryFailure: Error {
    /// Words for operators, without address, code or contents.
    var reason: String
    /// Trying again would not help.
    var isPermanent: Bool
}
