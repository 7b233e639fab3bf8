import AccountsDomain

/// Something to tell a person, before it is put into words.
struct Message: Codable, Sendable, Hashable {
    /// What it is about: the name of its templates.
    enum Kind: String, Codable, Sendable, CaseIterable {
        case verifyEmail = "verify-email"
        case emailChanged = "email-changed"
        case resetPassword = "reset-password"
        case verifyPhone = "verify-phone"
        case heroApplied = "hero-applied"
        case heroAccepted = "hero-accepted"
        case heroDeclined = "hero-declined"
        case callRequested = "call-requested"
        case callAccepted = "call-accepted"
        case callDeclined = "call-declined"
        case timesSuggested = "times-suggested"
        case timeAgreed = "time-agreed"
        case callReminder = "call-reminder"
        case callReminderSMS = "call-reminder-sms"

        var channel: MessageChannel {
            switch self {
            case .verifyPhone, .callReminderSMS: .sms
            case .verifyEmail, .emailChanged, .resetPassword, .heroApplied, .heroAccepted, .heroDeclined,
                .callRequested, .callAccepted, .callDeclined, .timesSuggested, .timeAgreed, .callReminder:
                .mail
            }
        }
    }

    /// What happened at another service, as far as the words need it. What is not there was not when it was sealed:
    /// releases read what others have left.
    struct Subject: Codable, Sendable, Hashable {
        /// Of the hero or the call request.
        var id: Int64
        /// The other person's name.
        var other: String?
        var title: String?
        var discipline: String?
        var minutes: Int64?
        /// In microseconds since the Unix epoch.
        var times: [Int64]?
        var reason: String?
        /// The reader's time zone.
        var zone: String?
    }

    var kind: Kind
    /// An address or a number.
    var to: String
    /// Whom it is for.
    var name: String
    /// A code that the words will hold.
    var code: String?
    var subject: Subject?

    var channel: MessageChannel { kind.channel }
}
