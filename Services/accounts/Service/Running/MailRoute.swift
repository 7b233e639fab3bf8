import ServiceKit

/// How mail leaves: `MAIL_URL`.
enum MailRoute: Sendable, Hashable {
    /// Into files of a folder.
    case file(String)
    case smtp(SMTPServer)
}

/// How text messages leave: `SMS_URL`.
enum SMSRoute: Sendable, Hashable {
    /// Into files of a folder.
    case file(String)
    case twilio(TwilioAccount)
}

extension SettingsReader {
    /// - Parameter folder: for a `file:` that names none.
    mutating func mailRoute(folder: String) -> MailRoute? {
        parsed("MAIL_URL", default: .file(folder), "must be file:<folder>, \(SMTPServer.form)") { text in
            if let folder = Self.folder(text, folder) { .file(folder) } else { SMTPServer(text).map(MailRoute.smtp) }
        }
    }

    /// - Parameter folder: for a `file:` that names none.
    mutating func smsRoute(folder: String) -> SMSRoute? {
        parsed("SMS_URL", default: .file(folder), "must be file:<folder> or \(TwilioAccount.form)") { text in
            if let folder = Self.folder(text, folder) {
                .file(folder)
            } else {
                TwilioAccount(text).map(SMSRoute.twilio)
            }
        }
    }

    /// `file:<folder>`, or `file:` alone.
    private static func folder(_ text: String, _ standard: String) -> String? {
        guard text.hasPrefix("file:") else { return nil }
        var path = text.dropFirst(5)
        // file:///absolute/folder as well.
        if path.hasPrefix("//") { path = path.dropFirst(2) }
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path.isEmpty ? standard : String(path)
    }
}
