import CCurl

/// A mail server and how it is spoken to: `MAIL_URL`.
struct SMTPServer: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// How the connection is kept private.
    enum Security: String, Sendable, Hashable {
        /// TLS from the first byte on (RFC 8314, section 3.3).
        case implicit
        /// STARTTLS (RFC 3207), and nothing is sent to a server without it.
        case required
        /// STARTTLS if the server has it.
        case optional
        /// Never: for tests.
        case none

        var curlLevel: curl_usessl {
            switch self {
            case .implicit, .required: CURLUSESSL_ALL
            case .optional: CURLUSESSL_TRY
            case .none: CURLUSESSL_NONE
            }
        }
    }

    var host: String
    var port: Int
    var security: Security
    /// Never logged.
    var login: Login?
    /// A file of certificates to trust instead of the system's.
    var authorities: String?
    /// How many mails may be on their way at once.
    var connections = 4
    var connectTimeout = Duration.seconds(10)
    /// For a whole mail. What a server answers after it counts as lost, and is sent again: not too short.
    var timeout = Duration.seconds(60)

    /// - Parameter greeting: the name that we give ourselves (RFC 5321, section 4.1.1.1).
    func curlURL(greeting: String) -> String {
        "\(security == .implicit ? "smtps" : "smtp")://\(host):\(port)/\(greeting)"
    }

    var description: String { "\(host):\(port), TLS \(security.rawValue)" }
    var debugDescription: String { description }

    /// What the server asks for before it takes mail.
    struct Login: Sendable, Hashable {
        var user: String
        var password: String
    }
}
