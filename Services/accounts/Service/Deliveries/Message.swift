/// Something to tell a person, before it is put into words.
struct Message: Codable, Sendable, Hashable {
    /// How a person is reached.
    enum Channel: String, Codable, Sendable, CaseIterable {
        case mail
        case sms
    }

    /// What it is about: the name of its templates.
    enum Kind: String, Codable, Sendable, CaseIterable {
        case verifyEmail = "verify-email"
        case emailChanged = "email-changed"
        case resetPassword = "reset-password"
        case verifyPhone = "verify-phone"
    }

    var kind: Kind
    /// An address or a number.
    var to: String
    /// Whom it is for.
    var name: String
    /// A code that the words will hold.
    var code: String?

    var channel: Channel {
        switch kind {
        case .verifyEmail, .emailChanged, .resetPassword: .mail
        case .verifyPhone: .sms
        }
    }
}
