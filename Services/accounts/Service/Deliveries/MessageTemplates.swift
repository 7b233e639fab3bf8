import AccountsDomain
import Mustache

/// Puts messages into words.
struct MessageTemplates: Sendable {
    private struct MailTemplate: Sendable {
        var subject: MustacheTemplate
        var text: MustacheTemplate
        var html: MustacheTemplate
    }

    private let mails: [Message.Kind: MailTemplate]
    private let sms: [Message.Kind: MustacheTemplate]
    /// What every mail's HTML stands in.
    private let layout: MustacheTemplate
    private let webDomain: String

    /// - Parameter webDomain: the host of the web client, to which links lead.
    /// - Throws: when a template can't be parsed; a test sees to it that all can.
    init(webDomain: String) throws {
        self.webDomain = webDomain
        layout = try Self.html(PackageResources.layout_html_mustache)
        var mails: [Message.Kind: MailTemplate] = [:]
        var sms: [Message.Kind: MustacheTemplate] = [:]
        for kind in Message.Kind.allCases {
            let files = Self.files(of: kind)
            if let html = files.html {
                mails[kind] = try Self.mail(files.text, html)
            } else {
                sms[kind] = try Self.text(files.text)
            }
        }
        self.mails = mails
        self.sms = sms
    }

    /// The first line of a mail's text is its subject.
    private static func mail(_ text: [UInt8], _ html: [UInt8]) throws -> MailTemplate {
        let parts = text.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        return MailTemplate(
            subject: try Self.text(Array(parts[0])), text: try Self.text(Array(parts.dropFirst().joined())),
            html: try Self.html(html))
    }

    private static func html(_ bytes: [UInt8]) throws -> MustacheTemplate {
        try MustacheTemplate(string: String(decoding: bytes, as: UTF8.self))
    }

    /// A template that escapes nothing.
    private static func text(_ bytes: [UInt8]) throws -> MustacheTemplate {
        try MustacheTemplate(string: "{{% CONTENT_TYPE:TEXT}}" + String(decoding: bytes, as: UTF8.self))
    }

    // MARK: Words

    /// A mail in words, or nil if this kind isn't mailed.
    ///
    /// - Parameters:
    ///   - delivery: the row that it is.
    ///   - clock: the reader's.
    func mail(_ message: Message, _ delivery: DeliveryID, written: Instant, clock: ZoneClock) -> Mail? {
        guard let template = mails[message.kind] else { return nil }
        let words = words(message, clock)
        let subject = template.subject.render(words.plain)
        var frame = words.html
        frame["subject"] = MailText.separated(MailText.cleaned(subject))
        frame["content"] = String(template.html.render(words.html).trimmingSuffix("\n"))
        return Mail(
            delivery: delivery, to: message.to, toName: message.name, subject: subject,
            text: template.text.render(words.plain), html: layout.render(frame), date: written,
            unsubscribe: message.kind.canBeMuted ? settings : nil)
    }

    /// A text message in words, or nil if this kind isn't sent as one.
    func sms(_ message: Message, _ delivery: DeliveryID, at now: Instant, clock: ZoneClock) -> SMS? {
        guard let template = sms[message.kind] else { return nil }
        let body = template.render(words(message, clock).plain)
        return SMS(delivery: delivery, to: message.to, body: String(body.trimmingSuffix("\n")), date: now)
    }

    /// Where a user chooses what to be told.
    private var settings: String { "https://\(webDomain)/settings/notifications" }

    /// What the templates may use, for text and for HTML.
    private func words(_ message: Message, _ clock: ZoneClock) -> (plain: [String: Any], html: [String: Any]) {
        let subject = message.subject
        var texts: [String: String] = ["name": message.name]
        texts["code"] = message.code
        texts["other"] = subject.map { $0.other ?? "Somebody" }
        texts["title"] = subject?.title
        texts["discipline"] = subject?.discipline.map { Self.disciplines[$0] ?? $0 }
        texts["minutes"] = subject?.minutes.map { "\($0)" }
        texts["link"] = message.path.map { "https://\(webDomain)/\($0)" }
        texts["settings"] = message.kind.canBeMuted ? settings : nil
        let times = (subject?.times ?? []).map { clock.text(of: Instant(microseconds: $0)) }
        texts["time"] = times.first
        // A line break in what somebody typed must not begin a line of ours.
        texts = texts.mapValues(MailText.cleaned)
        let lists = ["times": times, "reason": subject?.reason.map(MailText.lines) ?? []]
        let plain = texts.mapValues { $0 as Any }.merging(lists) { $1 }
        let html = texts.mapValues { MailText.separated($0) as Any }
            .merging(lists.mapValues { $0.map(MailText.separated) }) { $1 }
        return (plain, html)
    }

    private static let disciplines = [
        "FE": "front end", "BE": "back end", "IO": "iOS", "AN": "Android", "UX": "UX",
    ]
}

extension Message {
    /// Where its link leads, below the web client's host.
    fileprivate var path: String? {
        switch kind {
        case .verifyEmail, .resetPassword: code.map { "\(kind.rawValue)/\($0)" }
        case .heroApplied: subject.map { "accept-decline-hero/\($0.id)" }
        case .callRequested: subject.map { "call-requests/accept-or-decline/\($0.id)" }
        case .callAccepted, .callDeclined, .timesSuggested, .timeAgreed, .callReminder, .callReminderSMS:
            subject.map { "call-request/\($0.id)" }
        case .emailChanged, .verifyPhone, .heroAccepted, .heroDeclined: nil
        }
    }
}

extension Message.Kind {
    /// Whether it goes only to those who asked for notifications.
    var canBeMuted: Bool { self == .callReminder }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> Substring {
        var text = self[...]
        while text.last == character { text.removeLast() }
        return text
    }
}
