import AccountsDomain
import Mustache

/// Puts messages into words.
struct MessageTemplates: Sendable {
    private struct Mails: Sendable {
        var subject: String
        var text: MustacheTemplate
        var html: MustacheTemplate
    }

    private let mails: [Message.Kind: Mails]
    private let sms: [Message.Kind: MustacheTemplate]
    private let webDomain: String

    /// - Parameter webDomain: the host of the web client, to which links lead.
    /// - Throws: when a template can't be parsed; a test sees to it that all can.
    init(webDomain: String) throws {
        self.webDomain = webDomain
        mails = [
            .verifyEmail: try Self.mail(
                PackageResources.verify_email_txt_mustache, PackageResources.verify_email_html_mustache),
            .emailChanged: try Self.mail(
                PackageResources.email_changed_txt_mustache, PackageResources.email_changed_html_mustache),
            .resetPassword: try Self.mail(
                PackageResources.reset_password_txt_mustache, PackageResources.reset_password_html_mustache),
        ]
        sms = [.verifyPhone: try Self.template(PackageResources.verify_phone_txt_mustache)]
    }

    /// The first line of a mail's text is its subject.
    private static func mail(_ text: [UInt8], _ html: [UInt8]) throws -> Mails {
        let parts = text.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        return Mails(
            subject: String(decoding: parts[0], as: UTF8.self), text: try template(Array(parts.dropFirst().joined())),
            html: try template(html))
    }

    private static func template(_ bytes: [UInt8]) throws -> MustacheTemplate {
        try MustacheTemplate(string: String(decoding: bytes, as: UTF8.self))
    }

    /// A mail in words, or nil if this kind isn't mailed.
    func mail(_ message: Message, number: Int64, at now: Instant) -> Mail? {
        guard let template = mails[message.kind] else { return nil }
        let values = values(message)
        return Mail(
            number: number, to: message.to, toName: message.name, subject: template.subject,
            text: template.text.render(values), html: template.html.render(values), date: now)
    }

    /// A text message in words, or nil if this kind isn't sent as one.
    func sms(_ message: Message, number: Int64, at now: Instant) -> SMS? {
        guard let template = sms[message.kind] else { return nil }
        return SMS(
            number: number, to: message.to, body: String(template.render(values(message)).trimmingSuffix("\n")),
            date: now)
    }

    private func values(_ message: Message) -> [String: String] {
        let code = message.code ?? ""
        return [
            // A line break in a name must not begin a line of ours.
            "name": MailText.cleaned(message.name),
            "code": code,
            "link": "https://\(webDomain)/\(message.kind.rawValue)/\(code)",
        ]
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> Substring {
        var text = self[...]
        while text.last == character { text.removeLast() }
        return text
    }
}
